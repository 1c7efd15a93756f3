# Input functions, named for what they return, and the targets of a study.


def corrupted_copy(wildcards) -> list[str]:
    """The corrupted test images, if the study has any."""
    return [rules.corrupt.output.data] if STUDY.corruptions else []


def family_documents(wildcards) -> list[str]:
    """The JSON documents of every run and every family that the study measures."""
    families = [*STUDY.families, "evaluation"]
    return [
        path
        for family in families
        for path in every_run(results(f"measures/{RUN}/{family}.json"))
    ]


def tables() -> list[str]:
    """The tables that a study ends with."""
    return [*rules.collect.output, *rules.summarise.output]


def tables_of_figure(wildcards) -> dict[str, str]:
    """The tables that a figure is drawn from, by name."""
    return {
        table: results(f"tables/{table}.csv")
        for table in FIGURES[wildcards.figure].options
    }


def figures() -> list[str]:
    """The figures that a study ends with."""
    return expand(
        rules.plot.output.figure,
        dataset=STUDY.config["datasets"],
        network=STUDY.config["networks"],
        figure=FIGURES,
    )


def toy_results() -> list[str]:
    """Outputs of the toy stage, if the study wants it."""
    return list(rules.toy_geometry.output) if STUDY.config["toy_functions"] else []
