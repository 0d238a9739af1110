"""Makes the starter model from published packages: `python -m training --help`."""

from __future__ import annotations

import argparse
import random
from pathlib import Path

from training import assets, bpe, catalogue, packages, wordlist

MERGES = Path("open_clip_torch", "open_clip", "bpe_simple_vocab_16e6.txt.gz")


def fetch(options: argparse.Namespace) -> None:
    """Download the packages."""
    packages.fetch(options.work / "packages")


def prepare(options: argparse.Namespace) -> None:
    """Collect pictures and names; prune the tokenizer."""
    source = options.work / "packages"
    pictures, things = assets.collect(source, silhouettes=options.silhouettes)
    if options.limit:
        pictures = random.Random(0).sample(pictures, options.limit)
        things = {picture.thing: things[picture.thing] for picture in pictures}
    assets.save((pictures, things), options.work / "assets.xz")
    pruner = bpe.Pruner(bpe.clip_merges(source / MERGES))
    wordlist.fill(pruner, things.values(), source)
    bpe.write_tokenizer(pruner, options.work / "tokenizer")
    print(f"{len(pictures)} pictures of {len(things)} things, {len(pruner.vocabulary())} tokens")


def measure(options: argparse.Namespace) -> None:
    """Measure what phrases mean."""
    from transformers import CLIPTokenizer

    from training import meaning, running

    source = options.work / "packages"
    known = catalogue.build(*assets.load(options.work / "assets.xz"))
    texts = meaning.phrases(known, source, options.captions)
    encoder = meaning.SentenceEncoder(source, running.pick_device())
    tokenizer = CLIPTokenizer.from_pretrained(options.work / "tokenizer")
    meaning.save(meaning.measure(texts, tokenizer, encoder), options.work / "meanings.npz")
    print(f"{len(texts)} phrases")


def train(options: argparse.Namespace) -> None:
    """Train all networks and export them."""
    from training import session

    session.run(options)


def sheet(options: argparse.Namespace) -> None:
    """Draw a sheet of pictures."""
    from training import sampling

    prompts = options.prompts.read_text(encoding="utf-8").split("\n")
    prompts = [prompt for prompt in prompts if prompt]
    pictures = sampling.generate(options.model, prompts, options.seed)
    sampling.sheet(pictures, prompts).save(options.out)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    main = argparse.ArgumentParser(prog="training", description=__doc__)
    main.add_argument(
        "--work", type=Path, default=Path("build"), help="folder for everything made on the way"
    )
    commands = main.add_subparsers(required=True)

    def command(name: str, function: object, help_text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name, help=help_text, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        added.set_defaults(function=function)
        return added

    command("fetch", fetch, "download the packages that the data comes from")
    preparing = command("prepare", prepare, "collect pictures and names, prune the tokenizer")
    preparing.add_argument(
        "--no-silhouettes", dest="silhouettes", action="store_false", help="without game icons"
    )
    preparing.add_argument("--limit", type=int, help="pictures to keep, to try things out")
    measuring = command("measure", measure, "measure what phrases mean")
    measuring.add_argument("--captions", type=int, default=36_000, help="captions among the phrases")
    _train_options(command("train", train, "train and export"))
    drawing = command("sheet", sheet, "draw a sheet of pictures")
    drawing.add_argument("--model", type=Path, default=Path("build/weights"))
    drawing.add_argument("--prompts", type=Path, default=Path("prompts.txt"), help="one prompt a line")
    drawing.add_argument("--out", type=Path, default=Path("build/sheet.png"))
    drawing.add_argument("--seed", type=int, default=0)
    return main


def _train_options(training: argparse.ArgumentParser) -> None:
    add = training.add_argument
    add("--compositions", type=int, default=91_390, help="training pictures")
    add("--captions", type=int, default=6, help="captions of each")
    add("--recolours", type=int, default=3, help="recoloured copies of each picture of one colour")
    add("--vae-steps", type=int, nargs=2, default=(1_841, 2_749), help="steps with batches of 32, and of 16")
    add("--text-steps", type=int, default=3_400)
    add("--steps", type=int, default=10_500, help="of UNet and text encoder")
    add("--batch", type=int, default=512)
    add("--no-compile", dest="compile", action="store_false", help="without torch.compile")
    add("--seed", type=int, default=0)


def main() -> None:
    """Run one command."""
    options = parser().parse_args()
    options.function(options)


if __name__ == "__main__":
    main()
