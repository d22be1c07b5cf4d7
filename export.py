"""Write a finished run as one model for other runtimes: `python export.py run=latest format=onnx`."""

from anodice.programs.commands import export

if __name__ == "__main__":
    export()
