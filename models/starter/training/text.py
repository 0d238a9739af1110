"""The text encoder: tokens in, and a first lesson in what phrases mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
import torch.nn.functional as functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from training import architecture, running
from training.meaning import Meanings

MOST_TOKENS: Final = 40  # of a caption; prompts may have 77
_TOKENISED_AT_ONCE: Final = 20_000
_SPREAD: Final = 0.02  # standard deviation of CLIP's embeddings


@dataclass(frozen=True)
class DistilSettings:
    """How to teach phrases' meanings: steps, phrases a step, peak learning rate."""

    steps: int = 3_400  # 45 seconds of an H100
    batch: int = 1_024
    learning_rate: float = 4e-4


def tokenise(tokenizer: CLIPTokenizer, texts: Sequence[str], length: int = MOST_TOKENS) -> torch.Tensor:
    """Token ids `(len(texts), length)` as int16, filled up with the end of text."""
    ids = np.full((len(texts), length), tokenizer.eos_token_id, np.int16)
    for start in range(0, len(texts), _TOKENISED_AT_ONCE):
        some = list(texts[start : start + _TOKENISED_AT_ONCE])
        for row, tokens in enumerate(tokenizer(some, truncation=True, max_length=length)["input_ids"], start):
            ids[row, : len(tokens)] = tokens
    return torch.from_numpy(ids)


class TextLearner:
    """The text encoder with a linear head into the space of meanings. The head is thrown away in the end."""

    def __init__(self, tokenizer: CLIPTokenizer, meanings: Meanings, device: torch.device) -> None:
        """Fresh networks whose token embeddings start from the tokens' meanings."""
        config = architecture.text_config(len(tokenizer))
        self.encoder = CLIPTextModel(CLIPTextConfig(**config)).to(device)
        self.end: int = config["eos_token_id"]
        self._phrases = tokenise(tokenizer, meanings.phrases).to(device)
        self._targets = functional.normalize(torch.from_numpy(meanings.vectors), dim=-1).to(device)
        self.head = torch.nn.Linear(architecture.TEXT_WIDTH, self._targets.shape[1]).to(device)
        self._device = device
        self._start_from(torch.from_numpy(meanings.tokens))

    @property
    def embedding(self) -> torch.nn.Parameter:
        """The token embedding table, `(vocabulary, 768)`."""
        return self.encoder.get_input_embeddings().weight

    def parameters(self) -> list[torch.nn.Parameter]:
        """Of the encoder and the head."""
        return [*self.encoder.parameters(), *self.head.parameters()]

    def _start_from(self, meanings: torch.Tensor) -> None:
        """Embeddings from meanings rotated at random into 768 dimensions, plus noise to part synonyms."""
        generator = torch.Generator().manual_seed(1)
        meanings = functional.normalize(meanings, dim=-1)
        width = architecture.TEXT_WIDTH
        rotation = torch.linalg.qr(torch.randn(width, meanings.shape[1], generator=generator))[0].T
        noise = torch.randn(len(meanings), width, generator=generator)
        start = _SPREAD * (0.75 * math.sqrt(width) * meanings @ rotation + 0.66 * noise)
        with torch.no_grad():
            self.embedding.copy_(start)

    def predict(self, ids: torch.Tensor) -> torch.Tensor:
        """Unit vectors of meaning for token ids `(n, length)`, read at the end of the text as in CLIP."""
        with running.mixed_precision(self._device):
            hidden = self.encoder(ids).last_hidden_state
        ends = (ids == self.end).int().argmax(-1)
        at_end = hidden[torch.arange(len(ids), device=self._device), ends].float()
        return functional.normalize(self.head(at_end), dim=-1)

    def lesson(self, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Predicted and true vectors of `batch` random phrases, `(batch, axes)` each."""
        rows = torch.randint(0, len(self._phrases), (batch,), device=self._device)
        return self.predict(self._phrases[rows].long()), self._targets[rows]

    def distil(self, settings: DistilSettings) -> None:
        """Teach vectors by their angle, and how alike phrases are to each other."""
        rate = settings.learning_rate
        optimizer = torch.optim.AdamW(self.parameters(), lr=rate, weight_decay=0.0)
        for step in range(settings.steps):
            for group in optimizer.param_groups:
                group["lr"] = rate * min(1.0, (step + 1) / 50) * (1 - 0.8 * step / settings.steps)
            found, true = self.lesson(settings.batch)
            loss = apart(found, true) + 0.5 * functional.mse_loss(found @ found.T, true @ true.T)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.parameters(), 1.0)
            optimizer.step()
            if (step + 1) % 200 == 0 or step + 1 == settings.steps:
                running.say(f"text {step + 1}/{settings.steps}: loss {loss.item():.4f}")


def apart(found: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """One minus the mean cosine of unit vectors."""
    return (1 - (found * true).sum(-1)).mean()
