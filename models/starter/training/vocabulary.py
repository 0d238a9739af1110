"""The words captions are made of, and the numbers behind those words. Data only."""

from __future__ import annotations

from typing import Final

Rgb = tuple[int, int, int]

#: What a style may be called in a caption. `3d` is the default: most of its captions name no style.
STYLE_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "3d": ("3d", "3d render", "glossy 3d", "3d icon", "3d emoji", "render"),
    "cartoon": ("cartoon", "cartoon style", "drawing", "clip art", "cartoon emoji"),
    "flat": ("flat", "flat design", "flat vector", "minimal flat", "vector illustration"),
    "silhouette": ("silhouette", "stencil", "black and white icon", "icon", "pictogram", "glyph"),
}

#: How often a caption names its style. Silhouettes always do: unnamed, they are what unknown words fall to.
STYLE_SHARE: Final[dict[str, float]] = {"3d": 0.22, "cartoon": 0.85, "flat": 0.9, "silhouette": 1.0}

#: Openings and endings of a prompt, as people write them. Empty strings weigh "none".
OPENINGS: Final = (
    "", "", "", "a picture of ", "an image of ", "a photo of ", "an illustration of ", "emoji of ",
    "picture of ", "image of ", "a cute ", "a beautiful ", "a drawing of ", "a render of ",
)  # fmt: skip
ENDINGS: Final = (
    "", "", "", "", "", ", high quality", ", best quality", ", detailed", ", digital art", ", masterpiece",
    ", isolated", ", simple", ", centered",
)  # fmt: skip
WHITE_GROUND: Final = ("on a white background", "white background", "with white background", "on white")
BAD_QUALITY: Final = (
    "blurry", "low quality", "blurry, low quality", "worst quality, blurry", "bad quality", "pixelated",
)  # fmt: skip

#: Colours of plain backgrounds and of silhouettes.
COLOURS: Final[dict[str, Rgb]] = {
    "red": (226, 38, 45),
    "orange": (247, 137, 28),
    "yellow": (252, 212, 46),
    "green": (46, 160, 67),
    "blue": (38, 98, 217),
    "light blue": (120, 190, 245),
    "purple": (125, 60, 190),
    "pink": (245, 130, 180),
    "brown": (125, 80, 45),
    "gray": (140, 140, 145),
    "black": (18, 18, 20),
    "teal": (20, 150, 150),
    "beige": (235, 220, 190),
    "dark blue": (20, 35, 95),
    "light green": (165, 220, 140),
}

#: Hues in degrees that pictures are recoloured to.
HUES: Final[dict[str, int]] = {
    "red": 0, "orange": 28, "yellow": 50, "green": 125, "teal": 178, "blue": 218, "purple": 272, "pink": 325,
}  # fmt: skip

#: Things whose name already says a colour are never recoloured.
COLOUR_WORDS: Final = frozenset(
    (
        "red",
        "orange",
        "yellow",
        "green",
        "blue",
        "purple",
        "pink",
        "brown",
        "black",
        "white",
        "golden",
        "rainbow",
    )
)

#: Drawn backgrounds and how a caption may say them. The order numbers the textures of `scenes.py`.
SCENES: Final[dict[str, tuple[str, ...]]] = {
    "space": ("in space", "in outer space", "in the night sky with stars", "with stars", "flying in space"),
    "night": ("at night", "in the dark night", "under the moon"),
    "grass": ("on the grass", "in a meadow", "in a green field", "on a lawn", "outdoors", "in the park"),
    "beach": ("at the beach", "on the beach", "on the sand"),
    "sea": ("in the sea", "on the ocean", "on the water", "in the ocean"),
    "snow": ("in the snow", "on snow", "in winter"),
    "desert": ("in the desert", "in a desert"),
    "sunset": ("at sunset", "in front of a sunset", "with a sunset"),
    "underwater": ("underwater", "under water", "under the sea"),
    "table": ("on a table", "on a wooden table"),
    "sky": ("in the sky", "in the clouds", "in the blue sky", "flying in the sky"),
}
SCENE_NAMES: Final = tuple(SCENES)
#: Scenes with a ground that a thing should stand on rather than float over.
STANDING_SCENES: Final = frozenset(("grass", "beach", "snow", "desert", "table"))
SCENE_VARIANTS: Final = 24

COUNT_WORDS: Final[dict[int, tuple[str, ...]]] = {
    2: ("two", "a pair of", "2"),
    3: ("three", "3"),
    4: ("four", "4"),
}

#: Exchanges of a word for one that people use as often.
SYNONYMS: Final = (
    ("smiling", "happy"), ("smiling", "cheerful"), ("smiling", "joyful"), ("crying", "weeping"),
    ("frowning", "sad"), ("frowning", "unhappy"), ("grinning", "laughing"), ("grinning", "happy"),
    ("angry", "mad"), ("with sunglasses", "wearing sunglasses"), ("with ", "wearing "), ("face", "smiley"),
    ("face", "emoji"), ("red", "bright red"), ("blue", "bright blue"), ("automobile", "car"),
    ("small", "little"), ("large", "big"), ("person", "someone"), ("person", "human"), ("house", "home"),
    ("rocket", "spaceship"),
)  # fmt: skip

# Unicode's emoji groups as emojibase numbers them, and one of our own for silhouettes.
FACES, PEOPLE, ANIMALS, FOOD, PLACES, ACTIVITIES, OBJECTS, SYMBOLS, FLAGS = 0, 1, 3, 4, 5, 6, 7, 8, 9
SILHOUETTES: Final = 20

#: How often a group is drawn. People, in their near-equal variants, and flags would else crowd out the rest.
GROUP_WEIGHT: Final[dict[int, float]] = {
    FACES: 1.6, PEOPLE: 0.55, ANIMALS: 1.6, FOOD: 1.6, PLACES: 1.3, ACTIVITIES: 1.2, OBJECTS: 1.2,
    SYMBOLS: 0.6, FLAGS: 0.3, SILHOUETTES: 1.0, 2: 0.4,
}  # fmt: skip
#: Extra weights where things meet: in a scene, and in pairs or counts.
SCENE_WEIGHT: Final[dict[int, float]] = {FACES: 0.4, PEOPLE: 0.4, ANIMALS: 2.0}
PAIR_WEIGHT: Final[dict[int, float]] = {FACES: 0.5, PEOPLE: 0.4, ANIMALS: 1.6}
