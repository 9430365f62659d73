"""Pages of the documentation of which a program writes some parts."""


def replace(page, part, text):
    """Puts text in the place of what stands between `<!-- PART: begin -->` and `<!-- PART: end -->`."""
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    whole = page.read_text()
    if begin not in whole or end not in whole:
        raise ValueError(f"{page} has no part {part}")
    before, _, rest = whole.partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")


def table(heads, rows):
    """Markdown, the first column as text and the others as numbers."""
    lines = [heads, ["---"] + ["---:"] * (len(heads) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
