"""The tables of docs/statistics.md, a function each; `benchmarks.statistics_figures` puts them into the page."""
