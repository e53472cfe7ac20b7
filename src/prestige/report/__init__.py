"""Run folders -> tables, figures and one HTML page."""

from __future__ import annotations

from pathlib import Path


def write_report(bench_folder: Path | str) -> Path:
    """Write ``report/index.html`` with its figures and tables into a bench (or run) folder.

    See :func:`prestige.report.bench.page.write_report`, which is imported only now: it draws with matplotlib.

    Examples
    --------
    >>> import prestige
    >>> prestige.write_report("bench").as_posix()
    'bench/report/index.html'
    """
    bench_folder = Path(bench_folder)
    from prestige.report.bench.page import write_report as write

    return write(bench_folder)
