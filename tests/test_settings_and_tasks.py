"""Settings and tasks: what is read, and what a wrong one is told."""

from pathlib import Path, PurePath

import pytest

from scones.errors import SettingsError, TaskError
from scones.settings import Settings
from scones.task import load_task, task_names


@pytest.mark.parametrize("name", ["Scones", "s", "scones-bootstrap", "scones-artefacts", "x" * 26])
def test_a_stack_whose_parts_could_not_be_named_after_it_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="stack"):
        Settings.load(environ={"SCONES_STACK": name}, file=None)


def test_flags_beat_environment_beats_file_beats_default(tmp_path: Path) -> None:
    file = tmp_path / "scones.toml"
    file.write_text('bucket = "file"\ndepot = "file"\nendpoint = "file"\n')
    environ = {"SCONES_BUCKET": "env", "SCONES_DEPOT": "env", "SCONES_TEST_DATA": "ignored"}
    found = Settings.load(environ=environ, file=file, bucket="flag", depot=None)
    assert (found.bucket, found.depot, found.endpoint, found.task) == ("flag", "env", "file", "vehicles")


def test_an_unknown_key_in_the_file_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "scones.toml"
    file.write_text('bukket = "x"\n')
    with pytest.raises(SettingsError, match="unknown setting 'bukket': the settings are store, bucket"):
        Settings.load(environ={}, file=file)


def test_a_value_of_the_wrong_kind_is_named() -> None:
    with pytest.raises(SettingsError, match="endpoint_timeout='soon'"):
        Settings.load(environ={"SCONES_ENDPOINT_TIMEOUT": "soon"}, file=None)


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    file = tmp_path / "scones.toml"
    file.write_text("bucket = ")
    with pytest.raises(SettingsError, match=r"scones.toml cannot be read as TOML"):
        Settings.load(environ={}, file=file)


def test_an_empty_variable_is_as_good_as_none() -> None:
    environ = {"SCONES_CIFAR100": "", "SCONES_ENDPOINT_URL": "", "SCONES_BUCKET": ""}
    assert Settings.load(environ=environ, file=None) == Settings.load(environ={}, file=None)


def test_an_endpoint_url_without_its_scheme_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"endpoint_url='127.0.0.1:8080'"):
        Settings.load(environ={}, file=None, endpoint_url="127.0.0.1:8080")


def test_awss_own_variable_names_the_endpoint() -> None:
    url = "http://127.0.0.1:9999"
    assert Settings.load(environ={"AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": url}, file=None).endpoint_url == url


@pytest.mark.parametrize("name", task_names())
def test_every_task_that_comes_with_scones_loads(name: str) -> None:
    assert load_task(name).name == name


def test_an_unknown_task_is_told_the_known_ones() -> None:
    with pytest.raises(TaskError, match=r"unknown task 'scooters': use one of .*vehicles"):
        load_task("scooters")
    with pytest.raises(TaskError, match=r"no task file missing.toml"):
        load_task("missing.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name =", "is no TOML"),
        ('name = "a"\ntitle = "b"\nlabels = ["x"]\n[policy]\ntarget_risk = 0.1', "labels"),
        ('name = "a"\ntitle = "b"\nlabels = ["x", "x"]\n[policy]\ntarget_risk = 0.1', "twice"),
        ('name = "a"\ntitle = "b"\nlabels = ["x", "y"]\n[policy]\ntarget_risk = 5', "policy.target_risk"),
        ('name = "a"\ntitle = "b"\nlabels = ["x", "y"]\ncolour = 1\n[policy]\ntarget_risk = 0.1', "colour"),
    ],
)
def test_a_task_file_that_is_wrong_says_where(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(TaskError, match=said):
        load_task(str(file))


def test_every_photograph_of_the_defects_task_belongs_to_one_cookie() -> None:
    task = load_task("defects")
    names = [
        f"training-images/{kind}-{k}.jpg" for kind, n in (("normal", 31), ("anomaly", 32)) for k in range(1, n + 1)
    ]
    found = [
        [group for group, patterns in task.groups.items() if any(map(PurePath(one).match, patterns))] for one in names
    ]
    assert all(len(groups) == 1 for groups in found)
    assert [[task.group_of(one)] for one in names] == found


def test_a_thing_is_named_by_what_stands_in_parentheses() -> None:
    task = load_task("vehicles").model_copy(update={"group_by": r"(item\d+)_|ride-\d"})
    assert [task.group_of(origin) for origin in ("a/item12_left.png", "a/ride-3.png", "a/other.png")] == [
        "item12",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('group_by = "("', "group_by is no regular expression"),
        ("[view]\nsize = 64\ncrop = [0, 0.5, 1, 0.5]", "view: .*crop must be left, top, right and bottom edge"),
        ("[view]\nsize = 64\ngrids = []", "view.grids"),
        ('[view]\nsize = 64\npool = ["median"]', "view.pool"),
    ],
)
def test_a_view_or_grouping_that_is_wrong_says_where(tmp_path: Path, more: str, said: str) -> None:
    head = 'name = "a"\ntitle = "b"\nlabels = ["x", "y"]\npolicy = { target_risk = 0.1 }\n'
    (tmp_path / "mine.toml").write_text(head + more)
    with pytest.raises(TaskError, match=said):
        load_task(str(tmp_path / "mine.toml"))
