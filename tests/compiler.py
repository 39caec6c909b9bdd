"""Small libraries in C that processes preload, built with the machine's own compiler."""

import shutil
import subprocess
from pathlib import Path


class NoCompiler(Exception):
    """There is no C compiler here."""


def build(source: Path, folder: Path) -> Path:
    """Compile a source; its library, in a folder.

    Raises:
        NoCompiler: there is none.
    """
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise NoCompiler("no cc, gcc or clang on the PATH")
    library = folder / f"{source.stem}.so"
    options = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([compiler, *options, "-o", str(library), str(source), "-ldl", "-lm"], check=True)
    return library
