"""A graph as Mermaid flowchart text, which GitHub and many documents render."""

from __future__ import annotations

from penstock.graph.drawing.diagram import OUTSIDE, Box, Diagram

_CLASSES = {
    "COMPLETE": "fill:#d3f2dd,stroke:#1f8a4c,color:#0b3d20",
    "CACHED": "fill:#d9e8fb,stroke:#2f6fc4,color:#12305a",
    "FAILED": "fill:#fbdcd9,stroke:#c43b2f,color:#5a1612",
    "RUNNING": "fill:#fdf0cf,stroke:#b8860b,color:#4d3800",
    "CANCELED": "fill:#eae3f5,stroke:#7a5bb0,color:#33214f",
    "RETRYING": "fill:#fdf0cf,stroke:#b8860b,color:#4d3800",
    "PENDING": "fill:#eeeeee,stroke:#999999,color:#444444",
    "SKIPPED": "fill:#eeeeee,stroke:#999999,color:#777777",
}


def draw_mermaid(diagram: Diagram) -> str:
    """Return a flowchart; edges carry the output keys, boxes the state where there is one.

    Example:
        >>> from penstock.graph.drawing import Box, Line
        >>> print(draw_mermaid(Diagram("p", (Box("A", "component"), Box("B", "component")),
        ...                            (Line("A", "B", ("rows",)),))))
        ---
        title: p
        ---
        flowchart TD
            n0["A"]
            n1["B"]
            n0 -->|rows| n1
    """
    names = {box.id: f"n{number}" for number, box in enumerate(diagram.boxes)}
    lines = ["---", f"title: {_quoted_title(diagram.name)}", "---", "flowchart TD"]
    used: dict[str, list[str]] = {}
    for box in diagram.boxes:
        lines.append(f"    {names[box.id]}{_shape(box)}")
        if box.status is not None:
            used.setdefault(box.status.state, []).append(names[box.id])
        if box.kind == OUTSIDE:
            used.setdefault(OUTSIDE, []).append(names[box.id])
    for line in diagram.lines:
        waits = "-.->|gate|" if line.gate else "-.->"
        arrow = f"-->|{_text(', '.join(line.keys))}|" if line.keys else waits
        lines.append(f"    {names[line.producer]} {arrow} {names[line.consumer]}")
    for state, members in used.items():
        if state == OUTSIDE:
            style = "fill:none,stroke:#999999,stroke-dasharray:4 3"
        else:
            style = _CLASSES.get(state, _CLASSES["PENDING"])
        lines.append(f"    classDef {state} {style}")
        lines.append(f"    class {','.join(members)} {state}")
    return "\n".join(lines)


def _shape(box: Box) -> str:
    parts = [f"<b>{_text(box.id)}</b>" if box.label or box.status else _text(box.id)]
    if box.label:
        parts.append(_text(box.label))
    if box.status is not None:
        parts.append(_text(" ".join(filter(None, (box.status.state.lower(), box.status.note)))))
        if box.status.verdict:
            parts.append(_text(box.status.short_verdict))
    label = "<br/>".join(parts)
    opening, closing = {"resolver": ("([", "])"), "importer": ("[/", "/]")}.get(
        box.kind, ("[", "]")
    )
    return f'{opening}"{label}"{closing}'


def _text(text: str) -> str:
    """Return text with Mermaid's own characters as entities."""
    for character, entity in (("#", "#35;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;")):
        text = text.replace(character, entity)
    return text.replace("|", "#124;")


def _quoted_title(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() else f'"{name}"'
