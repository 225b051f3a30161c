"""The engines that can be started here, one module each; the process itself is `supervisor`'s business."""

from localaik.engine.launchers.base import Launcher
from localaik.settings import Settings

__all__ = ["create_launcher"]


def create_launcher(settings: Settings) -> Launcher:
    """The launcher that the setting `engine` names."""
    if settings.engine == "llama-server":
        from localaik.engine.launchers.llama_server import LlamaServer  # noqa: PLC0415 - only the one that is used

        return LlamaServer(settings.llama_server)
    if settings.engine == "llama-cpp-python":
        from localaik.engine.launchers.llama_cpp_python import LlamaCppPython  # noqa: PLC0415 - as above

        return LlamaCppPython()
    from localaik.engine.launchers.xllamacpp import Xllamacpp  # noqa: PLC0415 - as above

    return Xllamacpp()
