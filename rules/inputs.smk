# Input functions, named for what they return, and the targets of a study.


def raw_data(wildcards) -> list[str]:
    """What a source reads: official archives, or files that the study names."""
    source = STUDY.source_spec(wildcards.dataset)
    named = (source.get(key) for key in ("table", "path"))
    own = (Path(DATA_DIR, path) for path in named if path)
    # What is missing, the job names with a remedy. A folder's own date says little.
    return official_files(source["source"]) + [
        raw_file(path) for path in own if path.is_file()
    ]


def raw_corrupted_set(wildcards) -> list[str]:
    """What a published corrupted set is read from; nothing for a generated one."""
    return official_files(STUDY.corrupted_set(wildcards.dataset))


def scenes(wildcards) -> list[str]:
    """The folder of generated scenes, if a data set is made of them."""
    return scenes_of(wildcards.dataset)


def scenes_of(dataset: str) -> list[str]:
    """The same, of a data set by its name."""
    synthetic = STUDY.source_spec(dataset)["source"] == "synthetic_scenes"
    return expand(rules.synthesise.output.scenes, dataset=dataset) if synthetic else []


def raw_file(path: Path) -> str:
    """A file in the folder of raw data, which no module's prefix moves."""
    return local(str(path))


def official_files(name: str) -> list[str]:
    """The official archives of a name, or the folder they unpack to; none for other names."""
    files = OFFICIAL.get(name, ())
    unpacked = {Path(DATA_DIR, file.folder) for file in files}
    if all(folder.is_dir() for folder in unpacked):
        return [raw_file(folder) for folder in unpacked]
    return [raw_file(Path(DATA_DIR, file.name)) for file in files]


def downloads() -> list[str]:
    """All official archives, or the folders they unpack to, that the study reads."""
    names = {
        name
        for dataset in STUDY.config["datasets"]
        for name in (
            STUDY.source_spec(dataset)["source"],
            STUDY.corrupted_set(dataset),
        )
    }
    return [path for name in sorted(names) for path in official_files(name)]


def download_size(wildcards) -> int:
    """Size of an official archive in megabytes."""
    return math.ceil(official_file(wildcards.archive).size / 1e6)


def claim_results() -> None:
    """Note which file the results are of; stop if they are another one's."""
    for study in workflow.configfiles[:1]:
        try:
            claim(Path(results("logs/study.txt")), Path(os.path.relpath(study)))
        except InputError as error:
            raise SystemExit(f"error in the configuration: {error}") from None


def announce_downloads() -> None:
    """Say what this run is going to download; stop if the disk has no room for it."""
    jobs = workflow.dag.needrun_jobs()
    files = [
        official_file(job.wildcards.archive)
        for job in jobs
        if job.rule is rules.download.rule
    ]
    if files:
        try:
            print(space_for_downloads(files, Path(DATA_DIR)))
        except InputError as error:
            raise SystemExit(f"error: {error}") from None


def pretrained_weights(wildcards) -> list[str]:
    """The file of a network's ImageNet weights, if the study names one."""
    path = STUDY.network_spec(wildcards.network).get("weights")
    return [raw_file(Path(DATA_DIR, path))] if path else []


def corrupted_copies(wildcards) -> list[str]:
    """The corrupted test images of a data set, if the study has any."""
    return corrupted_of(wildcards.dataset)


def corrupted_of(dataset: str) -> list[str]:
    """The same, of a data set by its name."""
    return expand(
        rules.corrupt.output.data,
        dataset=dataset,
        corruption=STUDY.corruption_names(dataset),
    )


def members_of_ensemble(wildcards) -> list[str]:
    """The trained networks of all seeds."""
    names = ("dataset", "network", "condition")
    chosen = {name: wildcards[name] for name in names}
    return expand(rules.train.output.model, seed=STUDY.seeds, **chosen)


def corrupted_ensembles() -> list[str]:
    """What ensembles do on corrupted copies, for each condition on data sets that have any."""
    pattern = results("measures/{dataset}/{network}/{condition}/ensemble.json")
    return [
        path
        for dataset, network in STUDY.pairs
        if STUDY.corruption_names(dataset)
        for path in expand(
            pattern, dataset=dataset, network=network, condition=STUDY.conditions
        )
    ]


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


def documents_with(wildcards) -> dict[str, list[str]]:
    """The documents, and for some also the arrays, that a table is gathered of."""
    name = wildcards.gathered
    if name == "toy_fits":
        return {
            "documents": expand(
                rules.toy_sharpness.output.measures, part=STUDY.toy_parts
            )
        }
    if name == "asc_pairs":
        pattern = results(f"measures/{RUN}/landscape{{view}}.json")
        return {"documents": every_measured(pattern, STUDY.conditions)}
    if name == "domains":
        evaluations = rules.evaluate.output.measures
        return {"documents": every_run(evaluations, datasets=STUDY.recordings)}
    if name == "interpolation":
        outputs = rules.interpolate.output
        measures, arrays = (
            every_pair(path, seed=STUDY.seeds)
            for path in (outputs.measures, outputs.arrays)
        )
    else:
        pattern = results(f"measures/{RUN}/{name}{{view}}")
        measures, arrays = (
            every_measured(f"{pattern}.{end}") for end in ("json", "npz")
        )
    return {"documents": measures, "arrays": arrays}


def study_tables() -> dict[str, Table]:
    """The tables of a study; those of ours beside print if a network is in print."""
    any_in_print = any(is_printed(*pair) for pair in STUDY.pairs)
    return {
        name: table
        for name, table in STUDY.tables.items()
        if name != "agreement" or any_in_print
    }


def inputs_of_table(table: Table) -> dict[str, str]:
    """The tables that one is made of, by name."""
    return {name: results(f"tables/{name}.csv") for name in table.needs}


def outputs_of_table(name: str) -> dict[str, str]:
    """The tables that are made together, and the formats of what readers see."""
    table = TABLES[name]
    place = place_of(table)
    tables = {given: place(f"tables/{given}.csv") for given in table.gives}
    return tables | {end: place(f"tables/{name}.{end}") for end in table.formats}


def made_by_another_module(path: str) -> bool:
    """Whether a rule of another module makes a file."""
    own = str(workflow.modifier.path_modifier.modify(path))
    return any(own in map(str, rule.output) for rule in workflow.rules)


def tables() -> list[str]:
    """The tables that a study ends with."""
    made = [path for name in study_tables() for path in outputs_of_table(name).values()]
    return [*(rules.collect.output if STUDY.pairs else []), *made]


def readable_tables() -> dict[str, Table]:
    """The tables that the report shows."""
    return {name: table for name, table in study_tables().items() if table.text}


def tables_of_report(wildcards) -> list[str]:
    """The tables that the report is made of."""
    origins = ["measures", "provenance"] if STUDY.pairs else []
    landscape = ["landscape"] if "landscape" in STUDY.gathered else []
    paths = [results(f"tables/{name}.csv") for name in (*origins, *landscape)]
    for name, table in readable_tables().items():
        # What is shown, and the table that can be taken from the page.
        own = [name] if name in (*table.needs, *table.gives) else []
        paths += [place_of(table)(f"tables/{csv}.csv") for csv in (*table.shows, *own)]
    return list(dict.fromkeys(paths))


def foundations() -> list[str]:
    """What tables are made from: data, networks, and what was measured of them."""
    families = [(family, getattr(rules, family).output) for family in STUDY.families]
    return [
        *expand(rules.prepare.output.data, dataset=STUDY.config["datasets"]),
        *(path for dataset in STUDY.recordings for path in scenes_of(dataset)),
        *expand(rules.recordings.output.table, dataset=STUDY.recordings),
        *(
            path
            for dataset in STUDY.config["datasets"]
            for path in corrupted_of(dataset)
        ),
        *every_path(rules.initialise.output, every_pair, seed=STUDY.seeds),
        *every_path(rules.train.output, every_run),
        *every_path(rules.evaluate.output, every_run),
        *(
            path
            for _, output in families
            for path in every_path(output, every_measured)
        ),
        *(
            every_path(rules.interpolate.output, every_pair, seed=STUDY.seeds)
            if STUDY.interpolation
            else []
        ),
        *expand(rules.gather.output.table, gathered=STUDY.gathered),
        *(rules.calibrate.output if STUDY.pairs else []),
        *(rules.disagreement.output if STUDY.pairs else []),
        *(
            [*corrupted_ensembles(), *rules.ensembles.output]
            if STUDY.has_ensembles
            else []
        ),
    ]


def every_path(output: Iterable[str], paths: Callable[..., list[str]], **wildcards):
    """The paths of all outputs of a rule, by what fills in their wildcards."""
    return [path for pattern in output for path in paths(pattern, **wildcards)]


def is_printed(dataset: str, network: str) -> bool:
    """Whether printed tables hold values of a network on a data set."""
    architecture = STUDY.network_spec(network)["architecture"]
    return (
        STUDY.printed_dataset(dataset),
        architecture.removeprefix(PRETRAINED),
        str(architecture.startswith(PRETRAINED)).lower(),
    ) in PRINTED_NETWORKS


def tables_of_figure(wildcards) -> dict[str, str]:
    """The tables that a figure is drawn from, by the names that a study's tables have."""
    name = wildcards.figure
    tables = ALL_FIGURES[name].needs
    if name not in PRINTED_FIGURES:
        return {table: results(f"tables/{table}.csv") for table in tables}
    return {
        table.removeprefix("asc_"): in_print(f"tables/{table}.csv") for table in tables
    }


def figures() -> list[str]:
    """The figures that a study ends with."""
    return [
        *(
            path
            for dataset, network in STUDY.pairs
            for path in expand(
                rules.plot.output.figure,
                dataset=dataset,
                network=network,
                figure=figures_of(dataset, network),
            )
        ),
        *(
            path
            for dataset in STUDY.config["datasets"]
            for path in expand(
                rules.plot_dataset.output.figure,
                dataset=dataset,
                figure=STUDY.dataset_figures(dataset),
            )
        ),
        *(interactive_pages() if "landscape" in STUDY.families else []),
        *expand(rules.plot_study.output.figure, figure=STUDY.study_figures),
        *expand(in_print("figures/{figure}.svg"), figure=STUDY.printed_figures),
    ]


def figures_of(dataset: str, network: str) -> list[str]:
    """The figures of a network; the one that needs printed tables only if it is in print."""
    unwanted = () if is_printed(dataset, network) else ("agreement",)
    return [name for name in STUDY.figures if name not in unwanted]


def interactive_pages() -> list[str]:
    """The landscapes that a reader can turn."""
    return every_pair(rules.plot_interactive.output.page)


def records_of_jobs(wildcards, output) -> list[str]:
    """Snakemake's records of the jobs behind all results, not those of what the study once had.

    They are no input files, since a lost record need not be made anew. They are derived from the
    output, since Snakemake neither keeps nor compares such parameters.
    """
    prefix = output.page.removesuffix(results("report.html"))
    made = [*foundations(), *tables(), *figures(), *toy_results(), *downloads()]
    paths = {prefix + path.removeprefix(prefix) for path in made}
    found = set()
    for maker in workflow.rules:
        # Rules of a workflow around this one need keep no records.
        if not (maker.output and maker.benchmark):
            continue
        matches = (maker.output[0].match(path) for path in paths)
        found |= {
            str(maker.benchmark.apply_wildcards(match.groupdict()))
            for match in matches
            if match
        }
    return sorted(found)


def toy_results() -> list[str]:
    """What networks that learn toy functions leave besides tables and figures."""
    fits = rules.toy_fits.output.networks, rules.toy_sharpness.output.measures
    return expand(fits, part=STUDY.toy_parts)
