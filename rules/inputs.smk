# What jobs read, and what they depend on besides: data, training and sharpness.


def official_files(name: str) -> list[str]:
    """The official archives of a name, or the folder they unpack to; none for other names."""
    return [local(str(path)) for path in official_paths(name, Path(DATA_DIR))]


def place_of(wildcards) -> list[str]:
    """The data set, and the kind and name of its further test set where a job is about that."""
    further = ("kind", "other") if "other" in wildcards.keys() else ()
    return [wildcards[key] for key in ("dataset", *further)]


def raw_data(wildcards) -> list[str]:
    """What a source reads: official archives, or files that the study names."""
    source = STUDY.source_spec(*place_of(wildcards))
    # The domains of pictures may be a table.
    named_files = (source.get(key) for key in ("table", "path", "domains"))
    own = [Path(DATA_DIR, path) for path in named_files if path and isinstance(path, str)]
    # The job names missing files, with a remedy. Of folders see `folder_of`.
    return official_files(source["source"]) + [local(str(path)) for path in own if path.is_file()]


@cache
def folder_of(*place: str) -> dict[str, Any] | None:
    """What is in the folder of pictures or recordings that a data set is read from, if it is one."""
    source = STUDY.source_spec(*place)
    table, path = (source.get(key) and Path(DATA_DIR, source[key]) for key in ("table", "path"))
    folder = path or (table and table.parent)
    if not folder or not folder.is_dir():
        return None
    stamps = recording_stamps(table, folder) if table else picture_stamps(folder, len(place) > 1)
    return folder_state(folder, stamps)


def source_params(script: str) -> dict[str, Callable]:
    """What the reading of a source depends on besides its files."""

    def source(wildcards) -> dict:
        return STUDY.source_spec(*place_of(wildcards))

    def place(wildcards) -> str:
        found = {"data_dir": DATA_DIR if STUDY.reads_files(*place_of(wildcards)) else None}
        # One text, so that the jobs of other sources have the params that they always had.
        folder = folder_of(*place_of(wildcards))
        return canonical_json(found | ({"folder": folder} if folder else {}))

    return {
        **named(
            code=code(
                script,
                lambda wildcards: [
                    STUDY.component("sources", source(wildcards)["source"]).location
                ],
            ),
            source=source,
        ),
        "place": place,
    }


def scenes(wildcards) -> list[str]:
    """The folder of generated scenes, if a data set is made of them."""
    made = {wildcards.dataset} & set(SYNTHETIC)
    return filled(rules.synthesise.output.scenes, every(dataset=made))


def corrupted_copies(wildcards) -> list[str]:
    """The corrupted copies of a data set's test split, if the study has any."""
    kinds = corruption_kinds(STUDY, wildcards.dataset)
    return filled(rules.corrupt.output.data, every(dataset=[wildcards.dataset], kind=kinds))


def other_sets(wildcards) -> list[str]:
    """The further test sets of a data set, if the study has any."""
    cases = [case for case in OTHER_SETS if case["dataset"] == wildcards.dataset]
    return filled(rules.other_set.output.data, cases)


def test_part(wildcards) -> dict:
    """The part of a data set's test split that is used; what is trained on does not change it."""
    part = STUDY.part_spec(wildcards.dataset)
    return {key: part[key] for key in ("test", "classes") if key in part}


def architecture_of(wildcards) -> str:
    """The architecture of a network."""
    return STUDY.network_spec(wildcards.network)["architecture"]


def network_code(network: str) -> list[str]:
    """Where the code of a network is; of one of a library with its version, which may change it."""
    found = STUDY.component("networks", STUDY.network_spec(network)["architecture"])
    if not isinstance(found, registry.OfLibrary):
        return [found.location]
    with told_in_one_line():
        return [f"{found.location}=={version_of(found.library)}"]


def weights_file(path: str | None) -> list[str]:
    """A file of weights, if the study names one: of its folder of data, or of results."""
    if path is None or path.startswith(RESULTS):
        return [path] if path else []
    return [local(placed(path, DATA_DIR))]


def initial_weights(wildcards) -> list[str]:
    """The file of weights that all conditions of a network and seed start from, if there is one."""
    return weights_file(network_start(STUDY, **dict(wildcards)))


def own_weights(wildcards) -> list[str]:
    """The file of weights that a training starts from instead, if there is one."""
    return weights_file(training_start(STUDY, **dict(wildcards)))


def adopted_file(key: str) -> Callable:
    """The checkpoint of a network that was trained elsewhere, or the one that this started from."""

    def file(wildcards) -> list[str]:
        path = STUDY.adopted_file(key, **wildcards)
        return [local(str(Path(DATA_DIR, path)))] if path else []

    return file


def training_of(wildcards) -> dict:
    """The settings of a training."""
    return STUDY.training[wildcards.dataset, wildcards.condition]


def training_settings(wildcards) -> dict:
    """What a job trains with, where what it starts from is an input.

    Averages, a new head, a norm, attacks, the usual loss and variants of SAM are left out where
    there are none, so that earlier studies are not run again. What is kept are outputs: a moment
    more is missing and trains again, one fewer does not.
    """
    settings = {
        key: value
        for key, value in training_of(wildcards).items()
        if key not in ("label_noise", "weights", "keep")
        and (value or key not in ("averaging", "new_head", "norm", "adversarial"))
        and (key, value) != ("loss", USUAL_LOSS)
    }
    sam = settings["sam"] and {k: v for k, v in settings["sam"].items() if v is not None}
    return settings | {"sam": sam}


def training_code(wildcards) -> list[str]:
    """Where the code of a training's network, optimiser, average and schedule is."""
    optimizer, averaging = (training_of(wildcards)[key] for key in ("optimizer", "averaging"))
    found = [
        *network_code(wildcards.network),
        STUDY.component("optimizers", optimizer["name"]).location,
    ]
    found += [STUDY.component("averages", averaging["name"]).location] if averaging else []
    found += [STUDY.component("schedules", training_of(wildcards)["schedule"]["name"]).location]
    return found + augmentation_code(training_of(wildcards)["augment"])


def augmentation_code(augment: dict | None) -> list[str]:
    """Where the code of the user's own augmentations is."""
    own = [name for name in augment or () if ":" in name]
    return [STUDY.component("augmentations", name).location for name in own]


def test_augment(wildcards) -> dict | None:
    """The augmentation of the test images of a condition."""
    return STUDY.test_augmentation(wildcards.dataset, wildcards.condition)


def evaluation_code(wildcards) -> list[str]:
    """Where the code of a network is, and that of the augmentation of its test images."""
    return [*network_code(wildcards.network), *augmentation_code(test_augment(wildcards))]


def models_together(wildcards, pattern: str) -> list[str]:
    """A file of each network of a data set that predicts together with others, and each seed."""
    networks = STUDY.network_ensembles[wildcards.dataset]
    cases = every(network=networks, condition=[wildcards.condition], seed=STUDY.seeds)
    return filled(pattern, [{"dataset": wildcards.dataset, **case} for case in cases])


def together_code(wildcards) -> list[str]:
    """Where the code of these networks is."""
    networks = STUDY.network_ensembles[wildcards.dataset]
    return sorted({place for network in networks for place in network_code(network)})


def own_evaluation_code(wildcards) -> list[str]:
    """Where the code of an evaluation of the user's own file is, and that of its network."""
    own = STUDY.component("evaluations", wildcards.evaluation).location
    return [own, *network_code(wildcards.network)]


def unusual_loss() -> dict[str, Callable]:
    """The loss of a data set's conditions as a param, left out where all studies had the usual one."""
    losses = {
        dataset: STUDY.loss(dataset, registry.INITIAL) for dataset in STUDY.config["datasets"]
    }
    usual = {*losses.values()} <= {USUAL_LOSS}
    return {} if usual else {"loss": lambda wildcards: losses[wildcards.dataset]}


def label_noise(wildcards) -> float:
    """The share of random labels that a condition has in training."""
    return STUDY.label_noise(wildcards.dataset, wildcards.condition)


def model_of(condition: str) -> str:
    """Where the weights are that a condition ends with, or that all of a seed start from."""
    return rules.initialise.output.model if condition == registry.INITIAL else MODEL


def model_of_next_seed(wildcards) -> list[str]:
    """The network of the same condition with the next seed, the first after the last; none of one."""
    seeds = list(map(str, STUDY.seeds))
    following = seeds[(seeds.index(wildcards.seed) + 1) % len(seeds)]
    others = [following] if following != wildcards.seed else []
    return filled(MODEL, [{**wildcards, "seed": seed} for seed in others])


# The families of each job that measures sharpness: of finished networks, and of weights on the way.
FAMILIES_OF = {**STUDY.sharpness_jobs, **moments.trajectory_jobs(STUDY)}
# Jobs of a measure of the user's own file, of one network: of finished ones, and on the way.
OWN, OWN_ON_THE_WAY = "measure_own", "trajectory_own"
# Those that families share.
SHARED_JOBS = (SHARED, moments.TRAJECTORY)


def measured_by(job: str) -> str:
    """What a job of sharpness is of, as wildcards: a condition if families share it, or a network."""
    return (CONDITION if job in SHARED_JOBS else RUN) + "{view}"


def measured_cases(job: str) -> Cases:
    """The same, as the wildcards of all jobs."""
    return MEASURED_CONDITIONS if job in SHARED_JOBS else measured_of(FAMILIES_OF[job][0])


def trained_cases(job: str) -> Cases:
    """The same of networks that are trained here."""
    return [case for case in measured_cases(job) if case["condition"] in STUDY.trained_conditions]


def measured_of(family: str) -> Cases:
    """The networks that have the measures of a family, on each view of their data."""
    return [case for case in MEASURED if family_settings(family, case) is not None]


def family_settings(family: str, case: dict[str, Any]) -> dict | None:
    """The settings of a family for a network, or None if that is not measured."""
    keys = ("dataset", "network", "condition", "seed")
    return STUDY.settings_of(family, **{key: case[key] for key in keys if key in case})


def families_of(job: str, wildcards) -> list[str]:
    """The families that a job measures."""
    return [wildcards.family] if job in (OWN, OWN_ON_THE_WAY) else FAMILIES_OF[job]


def seeds_of(job: str) -> list:
    """The seeds whose networks a job of sharpness measures: all, or the one that it is named by."""
    return STUDY.seeds if job in SHARED_JOBS else ["{seed}"]


def measured_models(job: str) -> Callable:
    """The networks that a job of sharpness measures."""
    return lambda wildcards: [
        pattern.format(**wildcards)
        for pattern in seeds_in(model_of(wildcards.condition), seeds_of(job))
    ]


def initial_models(job: str) -> Callable:
    """The networks that these began with, where a family takes them and where they are known."""
    families = (STUDY.component("sharpness", family) for family in FAMILIES_OF[job])
    taken = any(registry.INITIAL in family.takes for family in families)

    def models(wildcards) -> list[str]:
        if not taken or not STUDY.starts_from_initial(wildcards.dataset, wildcards.condition):
            return []
        patterns = seeds_in(rules.initialise.output.model, seeds_of(job))
        return [pattern.format(**wildcards) for pattern in patterns]

    return models


def minutes_of(job: str) -> Callable:
    """Minutes that a job of sharpness asks a cluster for: more each time it is tried again."""

    def minutes(wildcards, attempt) -> int:
        case = dict(wildcards)
        found = {family: family_settings(family, case) for family in FAMILIES_OF[job]}
        by_domain = STUDY.families_by_domain(wildcards.dataset)
        size = known_size(STUDY, wildcards.dataset)
        once = job in STUDY.sharpness_jobs
        times = 1 if once else max(moments.times_measured(STUDY, each) for each in found)
        return attempt * times * sharpness_minutes(job, found, by_domain, size)

    return minutes


def trajectory_cases(family: str) -> Cases:
    """The trained networks that a family measures at kept moments, as the wildcards of `TRAJECTORY`."""
    cases = measured_of(family)
    trained = [case for case in cases if case["condition"] in STUDY.trained_conditions]
    return [{**case, "family": family} for case in trained]


def measured_snapshots(job: str) -> Callable:
    """The weights on the way that a job measures, all moments of a seed one after the other."""

    def snapshots(wildcards) -> list[str]:
        of_families = (moments.moments(STUDY, family) for family in families_of(job, wildcards))
        wanted = {name for names in of_families for name in names}
        return [
            SNAPSHOT.format(**{"seed": seed, **wildcards, "moment": moment})
            for seed in STUDY.seeds
            if wildcards.get("seed", str(seed)) == str(seed)
            for moment in KEPT
            if moment in wanted
        ]

    return snapshots


def sharpness_outputs(job: str) -> dict[str, list[str]]:
    """The documents of a job's families, and their arrays where they have any."""
    files = {}
    for family in FAMILIES_OF[job]:
        pattern = MEASURES.replace("{family}", family)
        files[family] = seeds_in(f"{pattern}.json", seeds_of(job))
        if STUDY.component("sharpness", family).arrays:
            files[f"{family}_arrays"] = seeds_in(f"{pattern}.npz", seeds_of(job))
    return files


def trajectory_outputs(job: str) -> dict[str, list[str]]:
    """The documents of a job's families about weights on the way, and their arrays."""
    files = {}
    for family in FAMILIES_OF[job]:
        pattern = TRAJECTORY.replace("{family}", family)
        files[family] = seeds_in(f"{pattern}.json", seeds_of(job))
        if family in registry.OF_SNAPSHOTS and STUDY.component("sharpness", family).arrays:
            files[f"{family}_arrays"] = seeds_in(f"{pattern}.npz", seeds_of(job))
    return files


def documents(family: str, models: Cases, end: str = "json") -> list[str]:
    """What a family of measures, or evaluation, wrote about models."""
    return filled(f"{MEASURES}.{end}", [{**model, "family": family} for model in models])


def sharpness_params(job: str, script: str = "sharpness") -> dict[str, Callable]:
    """What the measures of a job depend on besides its input files."""

    def view(wildcards) -> str:
        return wildcards.view.removeprefix("-") or "clean"

    def settings(wildcards) -> dict[str, dict]:
        case = dict(wildcards)
        found = {family: family_settings(family, case) for family in families_of(job, wildcards)}
        if missing := [family for family, own in found.items() if own is None]:
            raise InputError(f"sharpness.{missing[0]}.only: does not name this network; add it")
        views = STUDY.views(wildcards.dataset, wildcards.condition)
        if "perturbation" in found and view(wildcards) != views[0]:
            # The published procedure augments as it pleases: it is the same for every view.
            found["perturbation"] = {**found["perturbation"], "published": False}
        return found

    def chosen(wildcards) -> str:
        found = {"families": settings(wildcards)}
        by_domain = STUDY.families_by_domain(wildcards.dataset)
        by_domain = [family for family in found["families"] if family in by_domain]
        loss = STUDY.loss(wildcards.dataset, wildcards.condition)
        found |= {"loss": loss} if loss != USUAL_LOSS else {}
        samples = STUDY.config["sharpness"]["samples"]
        found |= {"samples": samples} if samples else {}
        # One text, so that earlier studies are not run again.
        return canonical_json(found | ({"by_domain": by_domain} if by_domain else {}))

    def augment(wildcards) -> dict | None:
        # Initial weights have seen no augmentation, and are measured with one only where asked to.
        if wildcards.condition == registry.INITIAL and view(wildcards) == "clean":
            return None
        return STUDY.augmentation(wildcards.dataset, wildcards.condition)

    def components(wildcards) -> list[str]:
        found = [
            STUDY.component("sharpness", family).location for family in families_of(job, wildcards)
        ]
        return [*found, *network_code(wildcards.network), *augmentation_code(augment(wildcards))]

    others = named(
        seeds=lambda wildcards: [int(str(seed).format(**wildcards)) for seed in seeds_of(job)],
        view=view,
        augment=augment,
        label_noise=label_noise,
        weight_decay=lambda wildcards: STUDY.weight_decay(wildcards.dataset, wildcards.condition),
    )
    return {**named(code=code(script, components)), "families": chosen, **others}


def trajectory_params(job: str) -> dict[str, Callable]:
    """The same of a job about weights on the way, with the moments of each family."""

    def of_families(wildcards) -> dict[str, list[str]]:
        found = families_of(job, wildcards)
        return {family: moments.moments(STUDY, family) for family in found}

    return sharpness_params(job, "trajectory") | named(moments=of_families)
