"""What pyproject.toml cannot say: conf/ lies beside the package, and inside of it once installed; Hydra's plugins."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["anodice*"]), "anodice.conf", "hydra_plugins.anodice_sweepers"],
    package_dir={"anodice.conf": "conf"},
    package_data={"anodice": ["py.typed", "__init__.pyi"], "anodice.conf": ["**/*.yaml"]},
)
