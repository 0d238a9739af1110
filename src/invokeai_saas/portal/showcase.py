"""The pictures on the landing page: a worker of ours drew them with the starter model (models/starter/sheet.png)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Picture:
    """A picture.

    Parameters:
        name: of its file, and of the text that describes it.
        prompt: the words that it was drawn from.
    """

    name: str
    prompt: str
    size: int = 192  # pixels, either way

    @property
    def file(self) -> str:
        return f"{self.name}.webp"


PICTURES = (
    Picture("heart", "a red heart"),
    Picture("sunglasses", "smiling face with sunglasses"),
    Picture("rocket", "rocket"),
    Picture("castle", "castle"),
    Picture("unicorn", "unicorn"),
    Picture("sunflower", "sunflower"),
    Picture("apple", "a shiny green apple on a wooden table"),
    Picture("carrot", "a bunny next to a carrot"),
)
