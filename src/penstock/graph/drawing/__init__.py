"""Drawing a graph: as text for a terminal, as Mermaid, as SVG and as JSON."""

from penstock.graph.drawing.diagram import Box, Diagram, Line, NodeStatus, diagram_of
from penstock.graph.drawing.mermaid import draw_mermaid
from penstock.graph.drawing.svg import draw_svg
from penstock.graph.drawing.text import draw_text

__all__ = [
    "Box",
    "Diagram",
    "Line",
    "NodeStatus",
    "diagram_of",
    "draw_mermaid",
    "draw_svg",
    "draw_text",
]
