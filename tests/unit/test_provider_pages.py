"""The pages in docs/providers say what the code says."""

from tests.provider_pages import FOLDER, pages


def test_every_page_is_as_the_code_makes_it() -> None:
    written = {path.name: path.read_text() for path in FOLDER.glob("*.md")}
    assert written == pages(), "make docs writes them anew"
