"""log.csv and config.yaml: rows survive new columns, and a resumed run cuts what it repeats."""

import yaml

from simgraph.config import Config, parse_config
from simgraph.training.run_log import cut_log, read_log, write_log, write_settings


def test_rows_with_other_columns_keep_theirs(tmp_path):
    file = tmp_path / "log.csv"
    assert read_log(file) == []
    write_log(file, [{"epoch": "1", "loss": "2.5"}, {"epoch": "2", "loss": "2", "sim_mAP": "0.3"}])
    assert file.read_text().splitlines() == ["epoch,loss,sim_mAP", "1,2.5,", "2,2,0.3"]
    assert read_log(file)[0] == {"epoch": "1", "loss": "2.5", "sim_mAP": ""}
    assert [p.name for p in tmp_path.iterdir()] == ["log.csv"]


def test_epochs_that_are_trained_again_are_cut(tmp_path):
    file = tmp_path / "log.csv"
    cut_log(file, 0)
    assert not file.exists()
    write_log(file, [{"epoch": str(epoch)} for epoch in (1, 2, 3)])
    cut_log(file, 2)
    assert [row["epoch"] for row in read_log(file)] == ["1", "2"]
    before = file.stat().st_mtime_ns
    cut_log(file, 2)
    assert file.stat().st_mtime_ns == before


def test_settings_are_read_back(tmp_path):
    config = parse_config({"train": {"num_ids": 3}, "sim": {"k": 5}})
    write_settings(config, tmp_path)
    content = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert parse_config(content["config"]) == config != Config()
    assert {"simgraph", "torch", "revision"} <= content["versions"].keys()
