"""Where values come from, which one wins, and what a person is told."""

import pytest

from localaik.settings import (
    ALIASES,
    SECTIONS,
    Settings,
    SettingsError,
    allowed_values,
    load,
    sections,
    variable_name,
)


def faults(flags: dict[str, object], environ: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load(flags, environ)
    return caught.value.lines


def test_b132_flag_wins_over_variable_over_alias_over_default() -> None:
    environ = {"PORT": "1001"}
    seen = [load({}, {})]
    seen.append(load({}, environ))
    environ["LOCALAIK_PORT"] = "1002"
    seen.append(load({}, environ))
    seen.append(load({"port": "1003"}, environ))
    assert [one.settings.port for one in seen] == [8090, 1001, 1002, 1003]
    assert [one.sources["port"] for one in seen] == ["default", "PORT", "LOCALAIK_PORT", "flag"]


def test_b132_an_empty_variable_is_unset_and_lets_the_alias_speak() -> None:
    loaded = load({}, {"LOCALAIK_PORT": "", "PORT": "1001", "LOCALAIK_MODEL": "", "LK_UPSTREAM": ""})
    assert loaded.settings == Settings(port=1001)
    assert loaded.sources["model"] == "default"


def test_b132_an_explicit_default_counts_as_explicit() -> None:
    assert load({"port": "8090"}, {"LOCALAIK_PORT": "1002"}).settings.port == 8090
    assert load({}, {"LOCALAIK_PORT": "8090"}).sources["port"] == "LOCALAIK_PORT"


def test_b132_an_empty_upstream_flag_is_a_fault_but_an_empty_variable_is_none() -> None:
    (line,) = faults({"upstream": ""}, {"LOCALAIK_UPSTREAM": "http://127.0.0.1:1/v1"})
    assert line.startswith("--upstream is empty")
    assert not load({}, {"LOCALAIK_UPSTREAM": ""}).settings.upstream_is_set


@pytest.mark.parametrize(
    ("environ", "warned"),
    [
        ({"LOCALAIK_PORT": "1", "PORT": "2"}, True),
        ({"LOCALAIK_PORT": "1", "PORT": "1"}, False),
        ({"LOCALAIK_PORT": "1", "PORT": "one"}, True),
        ({"LOCALAIK_ACCESS_LOG": "false", "LK_LOG": "OFF"}, False),
        ({"LOCALAIK_ACCESS_LOG": "on", "LK_LOG": "off"}, True),
        ({"LOCALAIK_ACCESS_LOG": "off", "LK_LOG": "0"}, False),
        ({"LOCALAIK_CTX_SIZE": "2048", "LK_CTX_SIZE": "8192"}, False),
        ({"LOCALAIK_CTX_SIZE": "8192", "LK_CTX_SIZE": "8192"}, True),
        ({"LOCALAIK_UPSTREAM_AUTH_HEADER": "A: secret1", "LK_UPSTREAM_AUTH_HEADER": "A: secret2"}, True),
    ],
)
def test_b132_variable_and_alias_that_differ_give_one_warning(environ: dict[str, str], warned: bool) -> None:
    ours, alias = environ
    loaded = load({}, environ)
    expected = (f"{ours} and its alias {alias} are set to different values; {ours} is used.",) if warned else ()
    assert loaded.warnings == expected
    assert ours in loaded.sources.values()


def test_b132_a_flag_makes_the_disagreement_below_it_irrelevant() -> None:
    assert load({"port": "3"}, {"LOCALAIK_PORT": "1", "PORT": "2"}).warnings == ()


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("LK_LOG", "off", "access_log", False),
        ("LK_LOG", "Off", "access_log", False),
        ("LK_LOG", "0", "access_log", True),
        ("LK_LOG", "false", "access_log", True),
        ("LK_FLASH_ATTN", "1", "flash_attn", "on"),
        ("LK_FLASH_ATTN", "on", "flash_attn", "auto"),
        ("LK_FLASH_ATTN", "0", "flash_attn", "auto"),
        ("LK_MLOCK", "1", "mlock", True),
        ("LK_MLOCK", "true", "mlock", False),
        ("LK_CONT_BATCHING", "1", "cont_batching", True),
        ("LK_CONT_BATCHING", "0", "cont_batching", True),
        ("LK_REQUIRE_UPSTREAM", "0", "require_upstream", True),
        ("LK_REQUIRE_UPSTREAM", "no", "require_upstream", True),
        ("LK_UPSTREAM", "http://h/v1", "upstream", "http://h/v1"),
        ("LK_UPSTREAM_AUTH_HEADER", "X-Key: 1", "upstream_auth_header", "X-Key: 1"),
        ("LK_THREADS", "3", "threads", 3),
        ("LK_THREADS_BATCH", "3", "threads_batch", 3),
        ("LK_BATCH_SIZE", "64", "batch_size", 64),
        ("LK_UBATCH_SIZE", "32", "ubatch_size", 32),
        ("LK_GPU_LAYERS", "99", "gpu_layers", "99"),
        ("LK_PARALLEL", "2", "parallel", 2),
        ("LLAMA_SERVER_BIN", "/opt/llama-server", "llama_server", "/opt/llama-server"),
        ("PORT", "9000", "port", 9000),
    ],
)
def test_aliases_keep_the_meaning_that_they_have_elsewhere(variable: str, text: str, field: str, value: object) -> None:
    loaded = load({}, {variable: text})
    assert getattr(loaded.settings, field) == value
    assert loaded.warnings == ()


@pytest.mark.parametrize(
    ("flags", "environ", "per_slot"),
    [
        ({}, {}, 2048),
        ({"parallel": "2"}, {}, 4096),
        ({}, {"LK_PARALLEL": "8"}, 1024),
        ({"model": "/models/some.gguf"}, {}, 8192),
        ({"model": "/models/some.gguf"}, {"LOCALAIK_PARALLEL": "3"}, 2730),
    ],
)
def test_the_go_context_size_is_shared_by_the_slots(
    flags: dict[str, object], environ: dict[str, str], per_slot: int
) -> None:
    loaded = load(flags, environ | {"LK_CTX_SIZE": "8192"})
    assert (loaded.settings.ctx_size, loaded.sources["ctx_size"]) == (per_slot, "LK_CTX_SIZE")


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        ({"LOCALAIK_PORT": "x"}, "LOCALAIK_PORT must be a whole number from 0 to 65535, not 'x'."),
        ({"LOCALAIK_PORT": "70000"}, "LOCALAIK_PORT must be a whole number from 0 to 65535, not '70000'."),
        ({"PORT": "-1"}, "PORT must be a whole number from 0 to 65535, not '-1'."),
        ({"LOCALAIK_PARALLEL": "1.5"}, "LOCALAIK_PARALLEL must be a whole number of at least 0, not '1.5'."),
        ({"LOCALAIK_SEED": "x"}, "LOCALAIK_SEED must be a whole number, not 'x'."),
        ({"LOCALAIK_MLOCK": "perhaps"}, "LOCALAIK_MLOCK must be `on` or `off`, not 'perhaps'."),
        (
            {"LOCALAIK_TOOL_CALLS": "grammar"},
            "LOCALAIK_TOOL_CALLS must be one of `auto`, `native`, `prompt`, not 'grammar'.",
        ),
        (
            {"LOCALAIK_UPSTREAM_CONSTRAINT": "schema"},
            "LOCALAIK_UPSTREAM_CONSTRAINT must be one of `auto`, `grammar`, `json_schema`, `none`, not 'schema'.",
        ),
        ({"LOCALAIK_MAX_TOOLS": "-1"}, "LOCALAIK_MAX_TOOLS must be a whole number of at least 0, not '-1'."),
        ({"LOCALAIK_FETCH": "some"}, "LOCALAIK_FETCH must be one of `public`, `off`, `any`, not 'some'."),
        (
            {"LOCALAIK_GPU_LAYERS": "many"},
            "LOCALAIK_GPU_LAYERS must be `auto` or a whole number of at least 0, not 'many'.",
        ),
        (
            {"LOCALAIK_LOAD_WAIT_SECONDS": "nan"},
            "LOCALAIK_LOAD_WAIT_SECONDS must be a number of at least 0, not 'nan'.",
        ),
        ({"LOCALAIK_CTX_SIZE": "1"}, "LOCALAIK_CTX_SIZE must be a whole number of at least 256, not '1'."),
        (
            {"LK_CTX_SIZE": "1000"},
            "LK_CTX_SIZE must be a whole number of at least 1024 (256 for each of the 4 slots), not '1000'.",
        ),
        ({"LOCALAIK_SEED": "9" * 500 + "x"}, f"LOCALAIK_SEED must be a whole number, not '{'9' * 60}...'."),
        ({"LOCALAIK_SEED": "\x1b[31m\n"}, r"LOCALAIK_SEED must be a whole number, not '\x1b[31m\n'."),
    ],
)
def test_b134_a_fault_names_the_variable_and_what_is_allowed(environ: dict[str, str], line: str) -> None:
    assert faults({}, environ) == (line,)


def test_b134_every_fault_is_told_at_once_each_by_the_name_that_was_used() -> None:
    lines = faults(
        {"port": "x", "pdf_dpi": "1"}, {"LOCALAIK_ENGINE": "abacus", "LK_PARALLEL": "no", "LK_CTX_SIZE": "?"}
    )
    assert [line.split(" must be ")[0] for line in lines] == [
        "--port",
        "LOCALAIK_ENGINE",
        "LK_CTX_SIZE",
        "LK_PARALLEL",
        "--pdf-dpi",
    ]


@pytest.mark.parametrize("text", ["on", "1", "true", "YES"])
def test_switches_take_the_usual_words(text: str) -> None:
    assert load({}, {"LOCALAIK_STRICT_MODELS": text}).settings.strict_models


def test_choices_may_be_written_in_capitals() -> None:
    assert load({"fetch": " OFF "}, {"LOCALAIK_ENGINE": "Llama-Server"}).settings == Settings(
        fetch="off", engine="llama-server"
    )


def test_unknown_variables_of_ours_are_told_once_each_with_a_hint() -> None:
    environ = {"LOCALAIK_PROT": "1", "LOCALAIK_PASSWORD": "secret", "LOCALAIK_TEST_X": "1", "OTHER": "1"}
    password, port = load({}, environ).warnings
    assert "LOCALAIK_PASSWORD is no setting" in password
    assert "secret" not in password
    assert port.startswith("LOCALAIK_PROT is no setting")
    assert port.endswith("is ignored. Did you mean LOCALAIK_PORT?")


@pytest.mark.parametrize(
    ("host", "warned"),
    [("127.0.0.1", 0), ("127.9.9.9", 0), ("::1", 0), ("localhost", 0), ("0.0.0.0", 1), ("::", 1), ("box.lan", 1)],
)
def test_b134_listening_beyond_loopback_is_told_once(host: str, warned: int) -> None:
    assert len(load({"host": host}, {}).warnings) == warned


def test_credentials_stay_out_of_the_printed_settings() -> None:
    loaded = load({}, {"LOCALAIK_UPSTREAM": "http://u:hidden@h/v1", "LOCALAIK_UPSTREAM_AUTH_HEADER": "A: hidden"})
    assert "hidden" not in repr(loaded)


def test_a_flag_of_no_setting_is_a_mistake_of_the_program() -> None:
    with pytest.raises(TypeError, match="colour"):
        load({"colour": "red"}, {})


def test_every_setting_is_described_stands_in_a_section_and_says_what_it_may_hold() -> None:
    grouped = sections()
    assert [field for fields in grouped.values() for field in fields] == list(Settings.model_fields)
    assert list(grouped) == list(SECTIONS.values())
    for field, info in Settings.model_fields.items():
        assert info.description, field
        assert allowed_values(field), field
    assert set(ALIASES.values()) <= Settings.model_fields.keys()
    assert len({variable_name(field) for field in Settings.model_fields}) == len(Settings.model_fields)


def test_defaults_pass_their_own_rules() -> None:
    assert Settings.model_validate(Settings().model_dump()) == Settings()
