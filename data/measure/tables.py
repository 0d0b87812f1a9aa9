"""Tables of Markdown."""


def line(*cells: str) -> str:
    """A row."""
    return f"| {' | '.join(cells)} |"


def head(*titles: str) -> list[str]:
    """Title row and rule."""
    return [line(*titles), line(*["---"] * len(titles))]


def mm(figures: dict, name: str) -> str:
    """A figure to one decimal, a dash where there is none."""
    return f"{figures[name]:.1f}" if name in figures else "–"
