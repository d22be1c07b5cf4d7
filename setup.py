"""What pyproject.toml cannot say: conf/ stands beside the package, and inside of it once it is installed."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["anodice*"]), "anodice.conf"],
    package_dir={"anodice.conf": "conf"},
    package_data={"anodice": ["py.typed"], "anodice.conf": ["**/*.yaml"]},
)
