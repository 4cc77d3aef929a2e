"""One file of the command line prints: what it prints is made safe there."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRINTS = ROOT / "driftline" / "cli" / "output.py"
# Before our own packages are known to be ours there is only sys; a role's lines are those of `monitor.logs`.
EXEMPT = {"driftline/cli/__init__.py": {"sys.stderr.write"}, "driftline/supervisor.py": {"sys.stderr.write"}}
FORBIDDEN = {
    "typer.echo", "typer.secho", "click.echo", "click.secho", "print", "Console", "rich.print", "sys.stdout.write",
    "sys.stderr.write", "sys.stdout.buffer.write", "Progress",
}  # fmt: skip


def test_the_command_line_prints_through_its_output_only() -> None:
    """No other file of `driftline` names a function that writes to a terminal, calls one or makes a console."""
    own = [path for path in sorted((ROOT / "driftline").rglob("*.py")) if path != PRINTS]
    used = {
        (name, written)
        for path in own
        for written in written_names(path)
        if written in FORBIDDEN - EXEMPT.get(name := str(path.relative_to(ROOT)), set())
    }
    assert used == set(), "print through driftline.cli.output: print_line, print_table, print_json, PlainConsole"


def written_names(path: Path) -> set[str]:
    """Return every dotted name that is called or passed on in the file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return called | {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
