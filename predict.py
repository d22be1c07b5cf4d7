"""Score new photos with a finished run: python predict.py run=latest photos=DIR_OR_FILES."""

from anodice.programs.commands import predict

if __name__ == "__main__":
    predict()
