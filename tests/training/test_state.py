import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from prestige.errors import StorageError
from prestige.training.schedule import Plan, TrainConfig
from prestige.training.state import TrainingState, load_checkpoint, pack, save_checkpoint, unpack


def state_at(**values) -> TrainingState:
    return TrainingState(plan=Plan(trial_steps=10, main_steps=100, validate_every=5), n_rates=3, **values)


def stepped(seed: int) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    model(torch.randn(8, 3)).square().sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    return model, optimizer


def test_a_checkpoint_gives_back_model_optimizer_and_state_to_the_last_bit(tmp_path: Path) -> None:
    model, optimizer = stepped(0)
    state = state_at(phase=1, step=7, trial_scores=[0.1])
    state.note("trial-0.001", 1e-3, 0.5, 0.1)
    best = {name: tensor + 1 for name, tensor in model.state_dict().items()}
    save_checkpoint(tmp_path / "a" / "c.safetensors", state, pack(model, optimizer, best))

    loaded = load_checkpoint(tmp_path / "a" / "c.safetensors")
    assert loaded is not None
    assert loaded[0] == state
    other, other_optimizer = stepped(1)
    restored = unpack(loaded[1], other, other_optimizer)
    for name, tensor in model.state_dict().items():
        assert torch.equal(other.state_dict()[name], tensor)
        assert torch.equal(restored[name], tensor + 1)
    for number, slots in optimizer.state_dict()["state"].items():
        for slot, value in slots.items():
            assert torch.equal(other_optimizer.state_dict()["state"][number][slot], value)
    assert list((tmp_path / "a").iterdir()) == [tmp_path / "a" / "c.safetensors"]


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "c.safetensors") is None


def test_a_checkpoint_cut_off_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    model, optimizer = stepped(0)
    save_checkpoint(path, state_at(), pack(model, optimizer))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StorageError, match="delete its folder; the training starts over"):
        load_checkpoint(path)


def test_a_checkpoint_of_an_older_version_is_gone_on_from(tmp_path: Path) -> None:
    plan = {"race_steps": 10, "main_steps": 100, "validate_every": 5}
    written = {"plan": plan, "n_rates": 3, "phase": 1, "step": 7, "race_scores": [0.25]}
    header = {"schema": "prestige.training.state/1", "standing": json.dumps(written)}
    save_file({"model.weight": torch.ones(2)}, tmp_path / "c.safetensors", header)
    loaded = load_checkpoint(tmp_path / "c.safetensors")
    assert loaded is not None
    assert loaded[0] == state_at(phase=1, step=7, trial_scores=[0.25])
    assert loaded[0].steps_done() == 17


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.safetensors"
    model, optimizer = stepped(0)
    save_checkpoint(path, state_at(step=1), pack(model, optimizer))

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("prestige.training.state.save_file", full)
    with pytest.raises(StorageError, match="the disk is full"):
        save_checkpoint(path, state_at(step=2), pack(model, optimizer))
    loaded = load_checkpoint(path)
    assert loaded is not None
    assert loaded[0].step == 1


def test_steps_done_counts_the_losing_trials() -> None:
    assert state_at(phase=0, step=4).steps_done() == 4
    assert state_at(phase=2, step=4).steps_done() == 24
    assert state_at(phase=3, step=10).steps_done() == 30  # the winner's first ten are its own trial
    assert state_at(phase=3, step=100).steps_done() == state_at().total_steps() == 120


def test_the_winner_is_the_best_trial_and_a_diverged_one_never_wins() -> None:
    nan = float("nan")
    for scores, tie, number in (
        ([0.1, 0.3, 0.2], 0.0, 1),
        ([0.1, 0.3, 0.2], 0.1, 1),
        ([nan, -0.1, nan], 0.0, 1),
        ([0.2, 0.2, 0.2], 0.0, 2),
        ([0.100, 0.0985, 0.097], 0.02, 1),  # the second is within 2 % of the best, the third is not
        ([0.100, 0.0975, 0.099], 0.02, 2),
        ([-0.100, -0.101, -0.2], 0.02, 1),  # a share of what it is away from 0
        ([nan, nan, nan], 0.02, 2),
    ):
        assert state_at(trial_scores=scores).winner((1e-3, 2e-3, 4e-3), tie) == number
    # The highest rate, wherever it stands in the list.
    assert state_at(trial_scores=[0.2, 0.2, 0.1]).winner((4e-3, 1e-3, 8e-3), 0.02) == 0


def test_convergence_starts_the_decay_once_the_score_has_not_risen() -> None:
    config = TrainConfig.model_validate({"budget": {"patience": 2, "steps": 100}})
    state = state_at(phase=3, decay_from=80)
    for step, score in ((5, 0.1), (10, 0.2), (15, 0.15)):
        state.step = step
        state.note("main", 1e-3, 1.0, score)
        if score > state.best_score:
            state.best_score, state.best_step = score, step
        assert state.plan_decay(config) == 100
    state.step = 20
    state.note("main", 1e-3, 1.0, 0.19)
    assert state.plan_decay(config) == 25
    assert state.decay_from == 20
    state.step = 25
    state.note("main", 1e-3, 1.0, 0.19)
    assert state.plan_decay(config) == 25


def test_the_optimizer_goes_on_alike_when_weights_are_kept_channels_last(tmp_path: Path) -> None:
    """The fused optimizer walks flat memory, so its averages must come back in the weights' own order."""

    def made() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        model = torch.nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        return model, torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)

    def step(model: torch.nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
        x = torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
        model(x).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    model, optimizer = made()
    step(model, optimizer, 1)
    save_checkpoint(tmp_path / "c.safetensors", state_at(), pack(model, optimizer))
    other, other_optimizer = made()
    loaded = load_checkpoint(tmp_path / "c.safetensors")
    assert loaded is not None
    unpack(loaded[1], other, other_optimizer)
    for seed in (2, 3):
        step(model, optimizer, seed)
        step(other, other_optimizer, seed)
    assert torch.equal(model.weight, other.weight)  # pyright: ignore[reportArgumentType]


def written(path: Path, **changes) -> Path:
    """Write a checkpoint whose state has other values; None leaves one out."""
    model, optimizer = stepped(0)
    raw = json.loads(state_at(phase=1, step=7, trial_scores=[0.1]).to_json()) | changes
    raw = {name: value for name, value in raw.items() if value != "left out"}
    header = {"schema": "prestige.training.state/2", "state": json.dumps(raw)}
    save_file(pack(model, optimizer), path, header)
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {"plan": None},
        {"plan": {"trial_steps": "ten", "main_steps": 100, "validate_every": 5}},
        {"plan": {"trial_steps": 10}},
        {"plan": {"trial_steps": 10, "main_steps": 100, "validate_every": 0}},
        {"plan": "left out"},
        {"phases": 1},
        {"phase": "one"},
        {"phase": 4},
        {"phase": -1, "trial_scores": []},
        {"step": 101},
        {"step": None},
        {"n_rates": 0},
        {"n_rates": "left out"},
        {"trial_scores": {"a": 1}},
        {"trial_scores": []},
        {"trial_scores": [0.1, "much"]},
        {"best_score": float("nan")},
        {"best_step": 1.5},
        {"history": [1]},
        {"history": [{"phase": "main", "validation_score": 0.1}]},
        {"history": [{"phase": "main", "step": "x", "validation_score": 0.1}]},
        {"recent_losses": "none"},
    ],
    ids=str,
)
def test_a_state_of_other_types_is_one_line_with_the_remedy(changes, tmp_path: Path) -> None:
    assert load_checkpoint(written(tmp_path / "c.safetensors")) is not None
    with pytest.raises(
        StorageError, match=r"state of the training cannot be read.*delete its folder"
    ) as caught:
        load_checkpoint(written(tmp_path / "c.safetensors", **changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("state", [None, "", "[]", "5", "[" * 10_000])
def test_a_header_without_a_state(state: str | None, tmp_path: Path) -> None:
    header = {"schema": "prestige.training.state/2", **({} if state is None else {"state": state})}
    save_file({"model.weight": torch.ones(2)}, tmp_path / "c.safetensors", header)
    with pytest.raises(StorageError, match="delete its folder"):
        load_checkpoint(tmp_path / "c.safetensors")


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("model.0.weight", None),
        ("model.0.weight", torch.zeros(4, 4)),
        ("model.0.weight", torch.zeros(4, 3, dtype=torch.int64)),
        ("model.2.weight", torch.zeros(3)),
        ("best.0.weight", torch.zeros(4, 3)),
        ("weight", torch.zeros(3)),
        ("theirs.weight", torch.zeros(3)),
        ("optimizer.0.exp_avg", torch.zeros(3)),
        ("optimizer.0.exp_avg", None),
        ("optimizer.0.step", torch.zeros(4, 3)),
        ("optimizer.0.momentum", torch.zeros(4, 3)),
        ("optimizer.9.step", torch.zeros(())),
        ("optimizer.-1.step", torch.zeros(())),
        ("optimizer.first.step", torch.zeros(())),
    ],
)
def test_tensors_of_another_training_change_nothing(name: str, tensor: torch.Tensor | None) -> None:
    model, optimizer = stepped(0)
    other, other_optimizer = stepped(1)
    before = {key: value.clone() for key, value in other.state_dict().items()}
    tensors = {**pack(model, optimizer), **({} if tensor is None else {name: tensor})}
    if tensor is None:
        del tensors[name]
    with pytest.raises(StorageError, match=r"c\.safetensors: its tensor .*delete its folder"):
        unpack(tensors, other, other_optimizer, where="c.safetensors")
    assert all(torch.equal(value, before[key]) for key, value in other.state_dict().items())


def test_a_diverging_trial_comes_back_and_a_best_state_that_is_none_does_not() -> None:
    model, optimizer = stepped(0)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state["0.weight"][0, 0] = float("nan")
    model.load_state_dict(state)
    other, other_optimizer = stepped(1)
    assert unpack(pack(model, optimizer), other, other_optimizer) == {}
    assert other.state_dict()["0.weight"][0, 0].isnan()
    with pytest.raises(StorageError, match=r"'0\.weight' are no weights"):
        unpack(pack(model, optimizer, state), other, other_optimizer)
