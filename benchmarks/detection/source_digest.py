"""A digest of what a module's results depend on: its source, and every file of this repository that it imports."""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def source_digest(module: str, *, also: tuple[str, ...] = (), root: Path = ROOT) -> str:
    """Return a digest of the sources behind *module*, hexadecimal.

    Args:
        module: Dotted name, of a file under *root*.
        also: Patterns below the root of files that are read without being imported, such as migrations and locks.

    Raises:
        FileNotFoundError: There is no such module, or a pattern matches nothing.
    """
    paths = set(imported_files(module, root=root))
    for pattern in also:
        matching = [path for path in root.glob(pattern) if path.is_file()]
        if not matching:
            raise FileNotFoundError(f"{pattern}: expected files under {root}, found none")
        paths.update(matching)
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path.relative_to(root)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def imported_files(module: str, *, root: Path = ROOT) -> frozenset[Path]:
    """Return the file of *module* and of every module of this repository that it imports, directly or through others.

    Imports inside functions count, and packages on the way to a module do; what is installed does not.
    """
    seen: set[Path] = set()
    waiting = list(_files(module, root))
    if not waiting:
        raise FileNotFoundError(f"{module}: expected a module under {root}, found none")
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            for name in _imports(path, root):
                waiting.extend(_files(name, root))
    return frozenset(seen)


def _imports(path: Path, root: Path) -> Iterator[str]:
    package = ".".join(path.relative_to(root).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            name = resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module or ""
            yield name
            yield from (f"{name}.{alias.name}" for alias in node.names)  # each may be a module of its own


def _files(module: str, root: Path) -> Iterator[Path]:
    """Yield the file of *module* and the ``__init__.py`` of every package around it, where they exist."""
    parts = module.split(".")
    place = root.joinpath(*parts)
    candidates = [place.with_suffix(".py"), place / "__init__.py"]
    if any(path.is_file() for path in candidates):
        candidates += [root.joinpath(*parts[:count], "__init__.py") for count in range(1, len(parts))]
        yield from (path for path in candidates if path.is_file())
