# What each job depends on besides its input files: its part of the configuration and its code.


def raw_folder(source: str) -> str | None:
    """The folder of raw data, for a source that reads anything from it."""
    return None if source in WITHOUT_FILES else DATA_DIR


def prepare_spec(wildcards) -> str:
    options = STUDY.source_spec(wildcards.dataset)
    source = options.pop("source")
    return job_spec(
        "prepare",
        SOURCES[source].location,
        source=source,
        options=options,
        data_dir=raw_folder(source),
        part=STUDY.part_spec(wildcards.dataset),
    )


def synthesise_spec(wildcards) -> str:
    source = STUDY.source_spec(wildcards.dataset)
    options = {key: source[key] for key in source if key != "source"}
    return job_spec("synthesise", SCENES.location, options=options)


def recordings_spec(wildcards) -> str:
    source = STUDY.source_spec(wildcards.dataset)
    name = source.pop("source")
    # Its options say what is generated, not how that is read.
    options = {} if name == "synthetic_scenes" else source
    return job_spec(
        "recordings",
        SOURCES[name].location,
        source=name,
        options=options,
        data_dir=raw_folder(name),
    )


def features_spec(wildcards) -> str:
    return job_spec(
        "features",
        features=STUDY.features_spec(wildcards.dataset),
        part=STUDY.part_spec(wildcards.dataset),
    )


def corrupt_spec(wildcards) -> str:
    spec = STUDY.corruption_spec(wildcards.dataset)
    return job_spec("corrupt", CORRUPTED_SETS[spec["set"]].location, **spec)


def initialise_spec(wildcards) -> str:
    # The file of weights is an input of the job, not a part of the network.
    network = {
        key: value
        for key, value in STUDY.network_spec(wildcards.network).items()
        if key != "weights"
    }
    architecture = network["architecture"]
    # Where published weights are looked for that the study names no file of.
    searched = architecture in FIND_WEIGHTS and not pretrained_weights(wildcards)
    return job_spec(
        "initialise",
        NETWORKS[architecture].location,
        network=network,
        data_dir=DATA_DIR if searched else None,
        normalize=STUDY.input_spec(wildcards.dataset),
    )


def train_spec(wildcards) -> str:
    training = dict(STUDY.training_spec(wildcards.dataset, wildcards.condition))
    label_noise = training.pop("label_noise")
    architecture = STUDY.network_spec(wildcards.network)["architecture"]
    modules = [
        NETWORKS[architecture].location,
        OPTIMIZERS[training["optimizer"]["name"]].location,
    ]
    if training["averaging"]:
        modules.append(AVERAGES[training["averaging"]["name"]].location)
    else:
        # The same model as before there were averages, byte for byte.
        del training["averaging"]
    return job_spec("train", *modules, training=training, label_noise=label_noise)


def checkpoint_beside(wildcards, output) -> str:
    """The checkpoint of a training: beside its model, wherever a module's prefix puts that."""
    return str(Path(output.model).with_name("checkpoint.safetensors"))


def sharpness_spec(family: str, wildcards) -> str:
    dataset, condition = wildcards.dataset, wildcards.condition
    architecture = STUDY.network_spec(wildcards.network)["architecture"]
    modules = (SHARPNESS[family].location, NETWORKS[architecture].location)
    views = STUDY.views(dataset, condition)
    view = wildcards.view.removeprefix("-") or "clean"
    settings = dict(STUDY.sharpness[dataset][family])
    if family == "perturbation" and view != views[0]:
        # The published procedure augments as it pleases: it is the same for every view.
        settings["published"] = False
    # Initial weights have seen no augmentation, and are measured with one only where asked to.
    plain = condition == INITIAL and view == "clean"
    return job_spec(
        "sharpness",
        *modules,
        family=family,
        settings=settings,
        view=view,
        augment=None if plain else STUDY.augmentation(dataset, condition),
        label_noise=STUDY.label_noise(dataset, condition),
        weight_decay=STUDY.weight_decay(dataset, condition),
    )


def forward_spec(wildcards) -> str:
    return sharpness_spec("forward", wildcards)


def perturbation_spec(wildcards) -> str:
    return sharpness_spec("perturbation", wildcards)


def hessian_spec(wildcards) -> str:
    return sharpness_spec("hessian", wildcards)


def landscape_spec(wildcards) -> str:
    return sharpness_spec("landscape", wildcards)


def interpolated_conditions() -> list[str]:
    paths = [*STUDY.interpolation["lines"], *STUDY.interpolation["planes"]]
    return sorted({name for path in paths for name in path})


def interpolate_spec(wildcards) -> str:
    architecture = STUDY.network_spec(wildcards.network)["architecture"]
    return job_spec(
        "interpolate",
        NETWORKS[architecture].location,
        settings=STUDY.interpolation,
        models=interpolated_conditions(),
    )


def evaluate_spec(wildcards) -> str:
    architecture = STUDY.network_spec(wildcards.network)["architecture"]
    return job_spec(
        "evaluate",
        NETWORKS[architecture].location,
        augment=STUDY.test_augmentation(wildcards.dataset, wildcards.condition),
    )


def corrupted_ensemble_spec(wildcards) -> str:
    architecture = STUDY.network_spec(wildcards.network)["architecture"]
    return job_spec("corrupted_ensemble", NETWORKS[architecture].location)


def settings_of(name: str) -> dict:
    """What a table depends on besides other tables."""
    settings = STUDY.config["analysis"]
    minimum = settings["minimum_train_accuracy"]
    return {
        "conditions": {"rows": condition_rows(STUDY)},
        "correlations": {"minimum_train_accuracy": minimum},
        "stability": {"threshold": settings["stability_threshold"]},
    }.get(name, {})


def table_spec(name: str) -> str:
    table = TABLES[name]
    text = [table.text] if table.text else []
    return job_spec(
        "table",
        *(table.location, *text),
        table=name,
        # The code version has functions, and not what the registry hands to them.
        handed={key: getattr(table, key) for key in ("needs", "gives", "shows")},
        settings=settings_of(name),
        printed={name: digest(IN_PRINT / f"{name}.csv") for name in table.printed},
    )


def gather_spec(wildcards) -> str:
    return job_spec("gather", GATHERED[wildcards.gathered].location)


def plot_spec(wildcards) -> str:
    name = wildcards.figure
    # What the figure is of; that of printed models is told which data set these are.
    of = {
        key: wildcards[key] for key in ("dataset", "network") if key in wildcards.keys()
    }
    of |= {"dataset": PRINTED_SCENES} if name.startswith("published-") else {}
    location = ALL_FIGURES[name].location
    return job_spec("plot", location, figure=location, of=of)


def toy_fits_spec(wildcards) -> str:
    settings = STUDY.config["toy_fits"]
    fits = {key: settings[key] for key in ("points", "width", "lr", "epochs", "losses")}
    fits["epochs"] = sorted(fits["epochs"])
    return job_spec(
        "toy_fits",
        fits=fits,
        functions=STUDY.toy_functions_of(wildcards.part),
        seeds=STUDY.seeds,
        at_once=settings["at_once"],
    )


def checkpoints_of_fits(wildcards, output) -> str:
    """How the checkpoints of a job begin: beside its output, as that of a training."""
    return str(Path(output.networks).with_suffix("")) + "-checkpoint"


def toy_sharpness_spec(wildcards) -> str:
    keys = ("test_points", "radii", "perturbations", "dtype")
    settings = {key: STUDY.config["toy_fits"][key] for key in keys}
    return job_spec("toy_sharpness", settings=settings)


def report_spec(wildcards) -> str:
    # Of the texts their hashes: Snakemake prints all of a specification that has changed.
    texts = {
        name: digest(BASE / "report" / name)
        for name in ("contents.yaml", "page.html.j2")
    }
    settings = {**STUDY.config, "seeds": STUDY.seeds, "data_dir": DATA_DIR}
    # Merged into the rest where the protocol wants it.
    del settings["published"]
    tables = readable_tables()
    code = [table.text for table in tables.values()]
    return job_spec("report", *code, tables=list(tables), config=settings, texts=texts)
