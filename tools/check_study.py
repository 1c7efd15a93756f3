"""Check a study and whether its data are there, before Snakemake reads it."""

import interruption  # noqa: F401

# isort: split
import argparse
import shutil
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from minimascope.errors import InputError
from minimascope.jobs.job import NO_COMPILER, REMEDIES, compiler
from minimascope.registry import library_of
from minimascope.study.file import read_study_file
from minimascope.study.loading import load_study
from minimascope.study.own import own_line
from minimascope.study.own_data import own_data_lines
from minimascope.study.published import compared_kinds
from minimascope.study.raw_data import data_lines, missing_files, reads_files
from minimascope.study.sizes import counted_size
from minimascope.study.study import Study
from minimascope.study.toys import toy_jobs

RESULTS = Path("results")
SCHEMA = Path(__file__).parents[1] / "resources" / "config.schema.yaml"


def summary(study: Study) -> str:
    """Return what a study consists of, as the rest of a sentence."""
    of_each = len(study.pairs) * len(study.seeds)
    networks = of_each * len(study.trained_conditions)
    elsewhere = of_each * len(study.adopted_conditions)
    counts = {
        "data set": len(study.config["datasets"]),
        "network": len(study.config["networks"]),
        "condition": len(study.conditions),
        "seed": len(study.seeds),
    }
    parts = ", ".join(counted(n, word) for word, n in counts.items() if n)
    learnt = len(study.config["toy_fits"]["functions"]) if toy_jobs(study) else 0
    toys = [f"{counted(learnt, 'toy function')} to learn"] if learnt else []
    work = {f"{counted(networks, 'network')} to train": networks}
    work |= {f"{counted(elsewhere, 'network')} to adopt": elsewhere}
    models = " and ".join(text for text, n in work.items() if n)
    return "; ".join([*([f"{models} ({parts})"] if models else []), *toys])


def counted(n: int, word: str) -> str:
    """Return a number of things in words."""
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def faults(study: Study, remote: bool) -> Iterator[str]:
    """Yield what this machine lacks for a study, whose jobs may run on others."""
    if RESULTS.exists() and not RESULTS.is_dir():
        yield f"{RESULTS} is a file where the folder of results belongs; rename it"
    yield from faults_of_library_networks(study)
    compiled = any(spec["compile"] for spec in study.training.values())
    if compiled and not remote and not shutil.which(compiler()):
        yield NO_COMPILER.format(compiler())


def faults_of_library_networks(study: Study) -> Iterator[str]:
    """Yield what a library says of networks that the study names after it: jobs would end so."""
    specs = {network: study.network_spec(network) for _, network in study.pairs}
    if not any(library_of(spec["architecture"]) for spec in specs.values()):
        return
    # Only here, since importing them takes seconds.
    from minimascope.initial_weights import network_spec
    from minimascope.networks import check_logits, initialise

    for dataset, network in study.pairs:
        size = counted_size(study, dataset)
        if library_of(specs[network]["architecture"]) and size.shape and size.classes:
            spec = network_spec(specs[network], size.shape, size.classes)
            try:
                check_logits(initialise(spec, seed=0), spec)
            except InputError as error:
                yield f"networks.{network} on {dataset}: {error}"


def near(path: Path) -> str:
    """Return a hint at the study that is meant by a file that is not there."""
    studies = {
        each.stem: str(each) for each in [Path("config.yaml"), *Path("studies").glob("*.y*ml")]
    }
    close = get_close_matches(path.stem, studies, n=1)
    return f"did you mean {studies[close[0]]}?" if close else "name the YAML file of a study"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path, help="the study's YAML file")
    parser.add_argument(
        "--name", action="store_true", help="print just the folder of its results in results/"
    )
    parser.add_argument(
        "--compared",
        action="store_true",
        help="print nothing; fail if no published results are shown beside the study's",
    )
    parser.add_argument(
        "--errors", action="store_true", help="print nothing but what would stop a run"
    )
    parser.add_argument("--remote", action="store_true", help="jobs run on other machines")
    arguments = parser.parse_args()
    if not arguments.study.exists():
        sys.exit(f"error: STUDY={arguments.study}: no such file; {near(arguments.study)}")
    try:
        study = load_study(read_study_file(arguments.study), SCHEMA, arguments.study.parent)
    except InputError as error:
        sys.exit(f"error in the configuration: {error}")
    if arguments.compared:
        sys.exit(not compared_kinds(study))
    if arguments.name:
        print(study.name)
        return
    try:
        # A run looks for the space of what it downloads itself: a finished one downloads nothing.
        missing, said = (missing_files(study), []) if arguments.errors else data_lines(study)
        wrong, own = ([], ()) if missing else own_data_lines(study)
        if missing := [*faults(study, arguments.remote), *missing, *wrong]:
            sys.exit("\n".join(f"error: {InputError(line)}" for line in missing))
        if arguments.errors:
            return
        own = list(own)
    except PermissionError as error:
        sys.exit(f"error: {error.filename}: {error.strerror}; {REMEDIES[error.errno]}")
    # Where a run only asks for errors or the study's name, nobody waits for scipy.
    from minimascope.study.remarks import remarks

    found = "data found" if reads_files(study) and not said else ""
    print(", ".join(filter(None, [f"{arguments.study} is a study: {summary(study)}", found])))
    for line in filter(None, [*said, *own, own_line(study), *remarks(study)]):
        print(line)


if __name__ == "__main__":
    main()
