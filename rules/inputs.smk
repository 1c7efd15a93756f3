# Input functions, named for what they return, and the targets of a study.


def raw_data(wildcards) -> list[str]:
    """What the source of a data set reads, if that is an official archive."""
    return official_file(STUDY.source_spec(wildcards.dataset)["source"])


def raw_corrupted_set(wildcards) -> list[str]:
    """What a published corrupted set is read from; nothing for a generated one."""
    return official_file(STUDY.corrupted_set(wildcards.dataset))


def official_file(name: str) -> list[str]:
    """The official archive of a name, or the folder it was unpacked to; none for other names."""
    file = OFFICIAL.get(name)
    if file is None:
        return []
    unpacked = Path(DATA_DIR, file.folder)
    return [str(unpacked if unpacked.is_dir() else Path(DATA_DIR, file.name))]


def pretrained_weights(wildcards) -> list[str]:
    """The file of a network's ImageNet weights, if the study names one."""
    path = STUDY.network_spec(wildcards.network).get("weights")
    return [str(Path(DATA_DIR, path))] if path else []


def corrupted_copies(wildcards) -> list[str]:
    """The corrupted test images of a data set, if the study has any."""
    return expand(
        rules.corrupt.output.data,
        dataset=wildcards.dataset,
        corruption=STUDY.corruption_names(wildcards.dataset),
    )


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
            name: every_pair(getattr(outputs, name), seed=STUDY.seeds)
            for name in ("measures", "arrays")
        }
    pattern = results(f"measures/{RUN}/{wildcards.curves}{{view}}")
    return {
        "measures": every_measured(f"{pattern}.json"),
        "arrays": every_measured(f"{pattern}.npz"),
    }


def tables() -> list[str]:
    """The tables that a study ends with."""
    agreement = (
        rules.agreement.output if any(in_print(*pair) for pair in STUDY.pairs) else []
    )
    return [
        *rules.conditions.output,
        *rules.collect.output,
        *rules.summarise.output,
        *agreement,
    ]


def in_print(dataset: str, network: str) -> bool:
    """Whether printed tables hold values of a network on a data set."""
    architecture = STUDY.network_spec(network)["architecture"]
    return (
        STUDY.printed_dataset(dataset),
        architecture.removeprefix(PRETRAINED),
        str(architecture.startswith(PRETRAINED)).lower(),
    ) in PRINTED_NETWORKS


def tables_of_figure(wildcards) -> dict[str, str]:
    """The tables that a figure is drawn from, by name."""
    return {
        table: results(f"tables/{table}.csv")
        for table in FIGURES[wildcards.figure].options
    }


def figures() -> list[str]:
    """The figures that a study ends with."""
    return [
        path
        for dataset, network in STUDY.pairs
        for path in expand(
            rules.plot.output.figure,
            dataset=dataset,
            network=network,
            figure=figures_of(dataset, network),
        )
    ] + (interactive_pages() if "landscape" in STUDY.families else [])


def figures_of(dataset: str, network: str) -> list[str]:
    """The figures of a network; the one that needs printed tables only if it is in print."""
    unwanted = () if in_print(dataset, network) else ("agreement",)
    return [name for name in STUDY.figures if name not in unwanted]


def interactive_pages() -> list[str]:
    """The landscapes that a reader can turn."""
    return every_pair(rules.plot_interactive.output.page)


def toy_results() -> list[str]:
    """Outputs of the toy stage, if the study wants it."""
    return list(rules.toy_geometry.output) if STUDY.config["toy_functions"] else []
