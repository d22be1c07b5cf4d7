"""A job of a sweep: its share of the cores, its GPU, and the settings that it must have been begun with."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from omegaconf import OmegaConf

from anodice.app.sweep_folder import held
from anodice.errors import AnodiceError
from anodice.programs import sweep_job


@pytest.fixture
def launcher(monkeypatch):
    """Eight cores, and a launcher of so many jobs at once."""

    def use(**launcher):
        monkeypatch.setattr(sweep_job, "cores", lambda: 8)
        known = SimpleNamespace(get=lambda: SimpleNamespace(launcher=launcher))
        monkeypatch.setattr(sweep_job, "HydraConfig", known)

    return use


@pytest.mark.parametrize(("jobs", "threads"), [(1, "auto"), (2, 4), (3, 2), (16, 1), (-1, 1), (-2, 1)])
def test_jobs_side_by_side_share_the_cores(jobs, threads, launcher):
    launcher(n_jobs=jobs)
    assert sweep_job._with_share_of_threads(OmegaConf.create({"threads": "auto"})).threads == threads
    assert sweep_job._with_share_of_threads(OmegaConf.create({"threads": 5})).threads == 5


def config(accelerator="auto"):
    return OmegaConf.create({"trainer": {"accelerator": accelerator, "devices": 1}})


def test_each_job_has_a_gpu_of_its_own(launcher, monkeypatch, tmp_path):
    launcher(n_jobs=2)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    first, second, third = config(), config(), config()
    with sweep_job._own_gpu(first, tmp_path):
        with sweep_job._own_gpu(second, tmp_path):
            assert (first.trainer.devices, second.trainer.devices) == ([0], [1])
        with sweep_job._own_gpu(third, tmp_path):
            assert third.trainer.devices == [1]


@pytest.mark.parametrize(("gpus", "jobs", "accelerator"), [(2, 1, "auto"), (1, 2, "auto"), (2, 2, "cpu")])
def test_nothing_is_shared_out_without_need(gpus, jobs, accelerator, launcher, monkeypatch, tmp_path):
    launcher(n_jobs=jobs)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    alone = config(accelerator)
    with sweep_job._own_gpu(alone, tmp_path):
        assert alone.trainer.devices == 1


def test_a_job_of_other_settings_is_not_taken_for_done(tmp_path):
    model = {"_target_": "a.Model", "code": 64}
    data = {"_target_": "a.Data", "image_size": 64, "in_channels": 1}
    begun = {"seed": 0, "name": {"model": "a", "data": "b"}, "model": model, "data": data, "callbacks": {}}
    begun |= {"threads": 1, "trainer": {"precision": "bf16-mixed", "accelerator": "cpu"}, "threshold": {}}
    OmegaConf.save(begun, tmp_path / "config.yaml")
    same = begun | {"threads": 2, "trainer": {"precision": "auto", "accelerator": "cpu"}}
    sweep_job._check_same(tmp_path, OmegaConf.create(same))
    with pytest.raises(AnodiceError, match=r"where model\.code was 64, got 32; delete that folder"):
        sweep_job._check_same(tmp_path, OmegaConf.create(same | {"model": model | {"code": 32}}))


def test_a_lock_is_not_shared(tmp_path):
    with held(tmp_path / "a", wait=False) as mine, held(tmp_path / "a", wait=False) as theirs:
        assert (mine, theirs) == (True, False)
