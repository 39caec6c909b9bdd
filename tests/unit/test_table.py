"""The table of faults in the documentation."""

from pathlib import Path

from tests.chaos import table

ROW = table.Row(5, "broker killed", "sqlite", "274 lost", "0 lost", 1.25)


def test_a_row_reads_as_one_line_of_markdown() -> None:
    last = table.markdown([ROW]).splitlines()[-1]
    assert last == "| 5 | broker killed | sqlite | 274 lost | 0 lost | 1.2 s |"


def test_only_what_stands_between_the_markers_is_written(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    table.write(page, [ROW, ROW])
    table.write(page, [ROW])
    text = page.read_text()
    assert text.startswith(f"before\n{table.BEGIN}\n| # |")
    assert text.endswith(f"{table.END}\nafter\n")
    assert text.count("broker killed") == 1
    assert "old" not in text
