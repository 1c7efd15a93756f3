# Input functions, named for what they return, and the targets of a study.


def raw_data(wildcards) -> list[str]:
    """What a source reads: official archives, or files that the study names."""
    source = STUDY.source_spec(wildcards.dataset)
    named = (source[key] for key in ("table", "path") if key in source)
    own = (Path(DATA_DIR, path) for path in named)
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


def evaluations_with_domains(wildcards) -> list[str]:
    """The evaluations of all networks that are tested on recordings."""
    return [
        path
        for dataset, network in STUDY.pairs
        if STUDY.has_recordings(dataset)
        for path in expand(
            rules.evaluate.output.measures,
            dataset=dataset,
            network=network,
            condition=STUDY.conditions,
            seed=STUDY.seeds,
        )
    ]


def landscapes(wildcards) -> list[str]:
    """The landscapes of all trained networks."""
    pattern = results(f"measures/{RUN}/landscape{{view}}.json")
    return every_measured(pattern, STUDY.conditions)


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
    """The tables that a study ends with; none where no network is trained on data."""
    if not STUDY.pairs:
        return []
    agreement = (
        rules.agreement.output if any(in_print(*pair) for pair in STUDY.pairs) else []
    )
    return [
        *rules.conditions.output,
        *rules.collect.output,
        *rules.summarise.output,
        *agreement,
        *rules.correlate.output,
        *(rules.ensemble_gain.output if STUDY.has_ensembles else []),
        *rules.condition_statistics.output,
        *rules.trends.output,
        *rules.claims.output,
        # The papers are on images.
        *(rules.claims_in_print.output if STUDY.has_images else []),
        *(rules.stability.output if STUDY.has_stability else []),
        *(rules.domains.output if STUDY.recordings else []),
        *(rules.reanalyse.output if STUDY.recordings else []),
    ]


def foundations() -> list[str]:
    """What tables are made from: data, networks, and what was measured of them."""
    families = [(family, getattr(rules, family).output) for family in STUDY.families]
    curves = [family for family, output in families if len(output) > 1]
    if STUDY.interpolation:
        curves.append("interpolation")
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
        *expand(rules.gather.output.table, curves=curves),
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


def tables_of_dataset_figure(wildcards) -> dict[str, str]:
    """The tables that a figure of all networks of a data set is drawn from, by name."""
    return {
        table: results(f"tables/{table}.csv")
        for table in DATASET_FIGURES[wildcards.figure].options
    }


def tables_of_reanalysis(wildcards) -> dict[str, str]:
    """The same tables of the printed models."""
    return {
        table: getattr(rules.reanalyse.output, table)
        for table in DATASET_FIGURES[wildcards.figure].options
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
        *(
            expand(rules.plot_reanalysis.output.figure, figure=figures_of_reanalysis())
            if STUDY.recordings
            else []
        ),
    ]


def figures_of(dataset: str, network: str) -> list[str]:
    """The figures of a network; the one that needs printed tables only if it is in print."""
    unwanted = () if in_print(dataset, network) else ("agreement",)
    return [name for name in STUDY.figures if name not in unwanted]


def figures_of_reanalysis() -> list[str]:
    """The figures of all networks of a data set that the printed tables have numbers for."""
    known = set(rules.reanalyse.output.keys())
    return [name for name, figure in DATASET_FIGURES.items() if figure.options <= known]


def interactive_pages() -> list[str]:
    """The landscapes that a reader can turn."""
    return every_pair(rules.plot_interactive.output.page)


def shown() -> list[str]:
    """What the report shows: pages of tables, and figures."""
    found = [*tables(), *figures(), *toy_results()]
    return [path for path in found if path.endswith((".html", ".svg"))]


def tables_behind() -> list[str]:
    """The tables as CSV from which pages of the report are made, where both have one name."""
    found = [*tables(), *toy_results()]
    pages = [path for path in found if path.endswith(".html")]
    return sorted({re.sub("html$", "csv", path) for path in pages} & set(found))


def tables_of_report(wildcards) -> dict[str, str]:
    """The tables that the report takes numbers from, by name; none without trained networks."""
    output = rules.collect.output
    tables = {"measures": output.measures, "provenance": output.provenance}
    if "landscape" in STUDY.families:
        tables["landscape"] = results("tables/landscape.csv")
    return tables if STUDY.pairs else {}


def records_of_jobs(wildcards, output) -> list[str]:
    """Snakemake's records of the jobs behind all results, not those of what the study once had.

    They are no input, since one that is lost need not be made anew, and derived from the output,
    since Snakemake then keeps no copy of them.
    """
    prefix = output.page.removesuffix(results("report.html"))
    made = [*foundations(), *tables(), *figures(), *toy_results(), *downloads()]
    paths = {prefix + path.removeprefix(prefix) for path in made}
    found = set()
    for maker in workflow.rules:
        matches = (maker.output[0].match(path) for path in paths if maker.output)
        found |= {
            str(maker.benchmark.apply_wildcards(match.groupdict()))
            for match in matches
            if match
        }
    return sorted(found)


def toy_results() -> list[str]:
    """Outputs of the toy stage, as far as the study wants it."""
    fits = rules.toy_fits.output.networks, rules.toy_sharpness.output.measures
    return [
        *(rules.toy_geometry.output if STUDY.config["toy_functions"] else []),
        *(rules.toy_tables.output if STUDY.toy_parts else []),
        *expand(fits, part=STUDY.toy_parts),
    ]
