# Images of localaik. `docker build .` makes the last target, gemma3-4b; docs/container.md tells of all of them.
#
# Targets:    tiny, gemma3-4b, gemma3-12b (server, engine, model), proxy (server alone, for an upstream).
# Arguments:  MODEL_URL, MODEL_SHA256, MMPROJ_URL, MMPROJ_SHA256, MODEL_ID (a model of your own, in any target but proxy),
#             VERSION, REVISION (for the labels), PYTHON_IMAGE, ENGINE_INDEX (both below).
# Contexts:   models (a folder with the files that MODEL_URL and MMPROJ_URL name where these are no URLs).
#
# It builds with BuildKit for linux/amd64 and linux/arm64. Beside the base image and Debian's packages, every download
# has its version in constraints.txt, or its SHA-256 here.

# Give a digest (python:3.12-slim-bookworm@sha256:...) for a build that can be repeated; releases do. The digest is not
# written here, because a fixed one would keep Debian's and Python's security updates out of every build in between.
ARG PYTHON_IMAGE=python:3.12-slim-bookworm


FROM ${PYTHON_IMAGE} AS builder
ARG SOURCE_DATE_EPOCH
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends binutils \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY pyproject.toml constraints.txt docker/requirements.py ./
RUN python requirements.py pyproject.toml . && python -m venv --without-pip /opt/localaik


# What localaik imports: an environment without the engine, without localaik itself, and without pip. Extension modules
# lose their debug symbols; Pillow's libraries have none, and do not survive a second tool that edits them.
FROM builder AS dependencies
RUN pip --python /opt/localaik/bin/python install --no-compile --only-binary :all: -c constraints.txt -r server.txt
RUN find /opt/localaik/lib -name '*.so' ! -path '*/pillow.libs/*' -exec strip --strip-unneeded {} + \
    && find /opt/localaik/lib -type d -name tests -prune -exec rm -r {} + \
    && python -m compileall -q --invalidation-mode unchecked-hash /opt/localaik/lib


# localaik itself, in /package, and the embedded model, in /embedded; both are trees to lay over the root.
FROM builder AS package
RUN pip install -c constraints.txt -r build.txt
COPY LICENSE README.md ./
COPY localaik localaik
RUN pip wheel --no-build-isolation --no-deps --wheel-dir /wheel . \
    && pip --python /opt/localaik/bin/python install --no-compile --no-deps --root /package /wheel/*.whl \
    && python -m compileall -q --invalidation-mode unchecked-hash -s /package /package/opt \
    && models=$(find /package -type d -path '*/localaik/assets/models') \
    && folder=/embedded${models#/package} \
    && mkdir -p "${folder%/*}" \
    && mv "${models}" "${folder}"


# The engine: the wheel that `pip install localaik` takes, too, without its 80 MB of debug symbols. A llama-server built
# from source, with a variant for each kind of processor, answers as fast and starts as fast, reads prompts a quarter
# faster, is some MB larger, and takes long to build (docs/container.md has the figures).
# ENGINE_INDEX is the address of a package index with other builds of the wheel, for GPUs.
FROM builder AS engine
ARG ENGINE_INDEX=""
RUN pip --python /opt/localaik/bin/python install --no-compile --no-deps --only-binary :all: --root /engine \
      ${ENGINE_INDEX:+--index-url "${ENGINE_INDEX}"} -c constraints.txt -r engine.txt \
    && find /engine -name '*.so' -exec strip --strip-unneeded {} + \
    && python -m compileall -q --invalidation-mode unchecked-hash -s /engine /engine


# Replaced by `--build-context models=FOLDER`.
FROM scratch AS models


FROM ${PYTHON_IMAGE} AS fetcher
COPY docker/fetch_model.py /fetch_model.py
RUN mkdir /models


FROM fetcher AS tiny-model
ARG MODEL_URL="" MODEL_SHA256="" MMPROJ_URL="" MMPROJ_SHA256=""
RUN --mount=type=bind,from=models,target=/context python /fetch_model.py /context /models


FROM fetcher AS gemma3-4b-model
ARG MODEL_URL="https://huggingface.co/lmstudio-community/gemma-3-4b-it-GGUF/resolve/c536c4707e747055eecad7da65d46b6fb0ebaa79/gemma-3-4b-it-Q4_K_M.gguf"
ARG MODEL_SHA256="be49949e48422e4547b00af14179a193d3777eea7fbbd7d6e1b0861304628a01"
ARG MMPROJ_URL="https://huggingface.co/lmstudio-community/gemma-3-4b-it-GGUF/resolve/d400f8ba80bfa661d94a756ea3b663db8b00da85/mmproj-model-f16.gguf"
ARG MMPROJ_SHA256="8c0fb064b019a6972856aaae2c7e4792858af3ca4561be2dbf649123ba6c40cb"
RUN --mount=type=bind,from=models,target=/context python /fetch_model.py /context /models


FROM fetcher AS gemma3-12b-model
ARG MODEL_URL="https://huggingface.co/lmstudio-community/gemma-3-12b-it-GGUF/resolve/ed6e7d1e8c65a0181cd45e3a194722d1c651f06e/gemma-3-12b-it-Q4_K_M.gguf"
ARG MODEL_SHA256="9610e3e07375303f6cd89086b496bcc1ab581177f52042eff536475a29283ba2"
ARG MMPROJ_URL="https://huggingface.co/lmstudio-community/gemma-3-12b-it-GGUF/resolve/785c151b0dabf00cfaff1421239fafdbb8e5995d/mmproj-model-f16.gguf"
ARG MMPROJ_SHA256="30c02d056410848227001830866e0a269fcc28aaf8ca971bded494003de9f5a5"
RUN --mount=type=bind,from=models,target=/context python /fetch_model.py /context /models


# What all targets share. Compiled modules and the index of fonts are made here, as the server may write neither. The
# official Python image has no compiled standard library, which would cost every start half a second. Hashes instead of
# times, and whole seconds, keep both valid where a build or a registry rounds the times of files. No program may be left
# that runs as somebody else (setuid).
FROM ${PYTHON_IMAGE} AS base
ARG SOURCE_DATE_EPOCH
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends curl fontconfig fonts-liberation libgomp1 poppler-utils tini \
    && find /usr/share/fonts /usr/local/share/fonts -type d -exec touch --date=@1 {} + \
    && fc-cache --force \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
    && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /var/cache/ldconfig/aux-cache \
    && groupadd --gid 10001 localaik \
    && useradd --uid 10001 --gid 10001 --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin localaik \
    && install -d -o 10001 -g 10001 -m 0700 /data \
    && python -m compileall -q --invalidation-mode unchecked-hash \
      -x '/(ensurepip|idlelib|lib2to3|pydoc_data|site-packages|test|tkinter|turtledemo)/' \
      "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
COPY --from=dependencies /opt/localaik /opt/localaik
ENV PATH=/opt/localaik/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    XDG_CACHE_HOME=/tmp/.cache \
    LOCALAIK_HOST=0.0.0.0,:: \
    LOCALAIK_DATA_DIR=/data
USER 10001:10001
VOLUME ["/data"]
EXPOSE 8090
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "-s", "--", "localaik", "serve"]
LABEL org.opencontainers.image.title="localaik" \
      org.opencontainers.image.description="LLM APIs on localhost: Gemini and OpenAI on one port, in front of a local model in llama.cpp"


FROM base AS proxy
COPY --from=package /package/ /
ENV LOCALAIK_REQUIRE_UPSTREAM=on
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s --start-interval=0.2s \
    CMD ["python", "-m", "localaik.cli.health", "--wait", "1"]
ARG VERSION="" REVISION=""
LABEL org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"


FROM base AS server
COPY --from=engine /engine/ /
COPY --from=package /embedded/ /
COPY --from=package /package/ /


FROM server AS tiny
COPY --from=tiny-model /models /models
ARG MODEL_URL="" MMPROJ_URL="" MODEL_ID=""
ENV LOCALAIK_MODEL=${MODEL_URL:+/models/model.gguf} \
    LOCALAIK_MMPROJ=${MMPROJ_URL:+/models/mmproj.gguf} \
    LOCALAIK_MODEL_ID=${MODEL_ID}
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s --start-interval=0.2s \
    CMD ["python", "-m", "localaik.cli.health", "--wait", "1"]
ARG VERSION="" REVISION=""
LABEL org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"


FROM server AS gemma3-12b
COPY --from=gemma3-12b-model /models /models
ARG MMPROJ_URL="default" MODEL_ID="gemma-3-12b-it"
ENV LOCALAIK_MODEL=/models/model.gguf \
    LOCALAIK_MMPROJ=${MMPROJ_URL:+/models/mmproj.gguf} \
    LOCALAIK_MODEL_ID=${MODEL_ID}
HEALTHCHECK --interval=5s --timeout=3s --start-period=180s --start-interval=0.2s \
    CMD ["python", "-m", "localaik.cli.health", "--wait", "1"]
ARG VERSION="" REVISION=""
LABEL org.opencontainers.image.licenses="MIT AND LicenseRef-Gemma" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      localaik.model.terms="Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms"


FROM server AS gemma3-4b
COPY --from=gemma3-4b-model /models /models
ARG MMPROJ_URL="default" MODEL_ID="gemma-3-4b-it"
ENV LOCALAIK_MODEL=/models/model.gguf \
    LOCALAIK_MMPROJ=${MMPROJ_URL:+/models/mmproj.gguf} \
    LOCALAIK_MODEL_ID=${MODEL_ID}
HEALTHCHECK --interval=5s --timeout=3s --start-period=180s --start-interval=0.2s \
    CMD ["python", "-m", "localaik.cli.health", "--wait", "1"]
ARG VERSION="" REVISION=""
LABEL org.opencontainers.image.licenses="MIT AND LicenseRef-Gemma" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      localaik.model.terms="Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms"
