"""Scores as a table on the screen."""

from __future__ import annotations

from typing import Any

from prestige.errors import one_line


def print_summary(summary: dict[str, Any]) -> None:
    """Print the summary of scored files, each score beside its baseline."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    baseline = summary["mean_baseline"]
    table = Table("averaged over", "score", "prediction", "training mean", box=box.SIMPLE)
    for column in table.columns[2:]:
        column.justify = "right"
    for level, scores in summary["scores"].items():
        for metric, value in scores.items():
            beside = baseline[level].get(metric) if isinstance(baseline, dict) else baseline
            words = {"genes": "genes", "obs": "observations"}.get(level, level)
            table.add_row(words, metric, _cell(metric, value), _cell(metric, beside))
    console = Console()
    console.print(table)
    interval = summary["pearson_interval"]
    if interval is not None:
        console.print(f"95 % interval of the mean per-gene Pearson: {interval[0]:.4f} to {interval[1]:.4f}")
    counted = ", ".join(f"{key.replace('_', ' ')} {value:,}" for key, value in summary["counted"].items())
    lines = (f"Scale {summary['scale']}; {counted}", *(one_line(note) for note in summary["notes"]))
    console.print(*lines, sep="\n", soft_wrap=True, markup=False)


def _cell(metric: str, value: float | str | None) -> str:
    if value is None or isinstance(value, str):
        return value or "-"
    return f"{value:,.0f}" if metric.startswith("n_") else f"{value:.4f}"
