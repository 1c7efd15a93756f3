# Input functions, named for what they return, and the targets of a study.


def raw_data(wildcards) -> list[str]:
    """The official archive of a data set, or the folder it was unpacked to; none for others."""
    file = OFFICIAL.get(STUDY.source_spec(wildcards.dataset)["source"])
    if file is None:
        return []
    unpacked = Path(DATA_DIR, file.folder)
    return [str(unpacked if unpacked.is_dir() else Path(DATA_DIR, file.name))]


def corrupted_copy(wildcards) -> list[str]:
    """The corrupted test images, if the study has any."""
    return [rules.corrupt.output.data] if STUDY.corruptions else []


def model_of(dataset: str, network: str, condition: str, seed: str) -> str:
    """The weights that a condition ends with, or that all of them start from."""
    outputs = rules.initialise.output if condition == INITIAL else rules.train.output
    return outputs.model.format(
        dataset=dataset, network=network, condition=condition, seed=seed
    )


def measured_model(wildcards) -> str:
    """The weights whose sharpness is measured."""
    names = ("dataset", "network", "condition", "seed")
    return model_of(*(wildcards[name] for name in names))


def interpolated_models(wildcards) -> list[str]:
    """The networks that lines and planes lead through, in the order of their names."""
    return [
        model_of(wildcards.dataset, wildcards.network, condition, wildcards.seed)
        for condition in interpolated_conditions()
    ]


def family_documents(wildcards) -> list[str]:
    """The JSON documents of every run and every family that the study measures."""
    return [
        *every_run(rules.evaluate.output.measures),
        *(
            path
            for family in STUDY.families
            for path in every_measured(results(f"measures/{RUN}/{family}{{view}}.json"))
        ),
    ]


def curve_files(wildcards) -> dict[str, list[str]]:
    """The documents and arrays of everything that a table of curves is made of."""
    if wildcards.curves == "interpolation":
        outputs = rules.interpolate.output
        return {
            name: expand(
                getattr(outputs, name),
                dataset=STUDY.config["datasets"],
                network=STUDY.config["networks"],
                seed=STUDY.seeds,
            )
            for name in ("measures", "arrays")
        }
    pattern = results(f"measures/{RUN}/{wildcards.curves}{{view}}")
    return {
        "measures": every_measured(f"{pattern}.json"),
        "arrays": every_measured(f"{pattern}.npz"),
    }


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
        figure=STUDY.figures,
    ) + (interactive_pages() if "landscape" in STUDY.families else [])


def interactive_pages() -> list[str]:
    """The landscapes that a reader can turn."""
    return expand(
        rules.plot_interactive.output.page,
        dataset=STUDY.config["datasets"],
        network=STUDY.config["networks"],
    )


def toy_results() -> list[str]:
    """Outputs of the toy stage, if the study wants it."""
    return list(rules.toy_geometry.output) if STUDY.config["toy_functions"] else []
