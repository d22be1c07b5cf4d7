"""Train a detector: `python train.py model=vae`, `python train.py --help`."""

from anodice.programs.commands import train

if __name__ == "__main__":
    train()
