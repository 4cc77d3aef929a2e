"""What the documentation lists is what there is."""

import re
from pathlib import Path

from monitor.settings import Settings

ROOT = Path(__file__).parents[2]


def test_operations_lists_every_setting_with_its_default() -> None:
    """The table of docs/operations.md has each field of Settings, once, with its default."""
    listed = dict(re.findall(r"^\| `(\w+)` \| `(.*?)` \|", (ROOT / "docs/operations.md").read_text(), re.MULTILINE))
    expected = {
        name: str(list(field.default) if isinstance(field.default, tuple) else field.default)
        for name, field in Settings.model_fields.items()
    }
    assert listed == expected


def test_links_between_pages_lead_somewhere() -> None:
    """Every relative link of the README and docs names a file that exists."""
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
