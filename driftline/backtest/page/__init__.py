"""A backtest as one self-contained HTML page: no script, no font, no address outside of it."""

from driftline.backtest.page.document import page_of

__all__ = ["page_of"]
