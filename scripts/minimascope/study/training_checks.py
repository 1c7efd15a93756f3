"""What is wrong in settings of trainings although the schema allows it."""

from ..batch_of_one import few_held_out
from ..components import IMAGES, RECORDINGS
from ..errors import InputError
from ..registry import TUNED
from ..schedule import Schedule
from .keys import key_of
from .sizes import known_size
from .study import FULL, Study

# Of an augmentation: what moves pixels, and what blanks parts of a spectrogram.
AUGMENTATIONS = {
    IMAGES: ("crop_padding", "horizontal_flip", "resized_crop"),
    RECORDINGS: ("band_masks", "time_masks"),
}


def check_trainings(study: Study) -> None:
    """Refuse settings of a training that exclude each other.

    How many batches it has is known when it begins, which checks schedules that count these.
    """
    for run, training in study.training.items():
        optimizer, schedule = training["optimizer"], training["schedule"]
        if optimizer.get("nesterov") and not optimizer["momentum"]:
            where = key_of(study, *run, "optimizer.nesterov", "optimizer.momentum")
            raise InputError(f"{where}: needs a momentum above 0; add it")
        if run[1] in study.trained_conditions:
            _check_loss(study, *run)
        _check_groups(study, *run)
        _check_window(study, *run)
        _check_held_out(study, *run)
        # Those that were trained elsewhere have none.
        if schedule is not None:
            _check_schedule(study, *run)


def _check_loss(study: Study, *run: str) -> None:
    training = study.training[run]
    dataset, condition = run
    first = study.trained_conditions[0]
    if training["loss"] != study.training[dataset, first]["loss"]:
        raise InputError(
            f"{key_of(study, *run, 'loss')}: {first} and {condition} have different losses, whose"
            " sharpness cannot be compared; train all conditions of a data set with one"
        )
    if training["loss"] == "squared_error" and training["optimizer"]["name"] == "kfac":
        where = key_of(study, *run, "loss", "optimizer.name")
        raise InputError(
            f"{where}: kfac's curvature is that of a softmax; use cross_entropy, or another"
            " optimizer"
        )


def _check_groups(study: Study, *run: str) -> None:
    training = study.training[run]
    size, batch = (training["sam"] or {}).get("group_size"), training["batch_size"]
    if size is not None and batch != FULL and batch % size:
        where = key_of(study, *run, "sam.group_size", "batch_size")
        raise InputError(
            f"{where}: groups of {size} do not fill a batch of {batch}; name a divisor of that"
        )


def _check_window(study: Study, *run: str) -> None:
    training = study.training[run]
    averaging, epochs = training["averaging"] or {}, training["epochs"]
    if averaging.get("name") == "swad" and epochs < (wanted := averaging["start_patience"]):
        where = key_of(study, *run, "averaging.start_patience", "epochs")
        raise InputError(
            f"{where}: {epochs} epochs are too few to choose from by {wanted} validation losses;"
            f" train for {wanted} or more, or lower it"
        )


def _check_held_out(study: Study, *run: str) -> None:
    """Refuse a validation loss of hardly any samples, where the number of samples is known."""
    share = (study.training[run]["averaging"] or {}).get("validation")
    size = known_size(study, run[0])
    if share and size.train and (fault := few_held_out(share, size.train, size.classes or 0)):
        where = key_of(study, *run, "averaging.validation")
        raise InputError(f"{where}: {fault}")


def _check_schedule(study: Study, *run: str) -> None:
    training = study.training[run]
    optimizer, schedule = training["optimizer"]["name"], training["schedule"]
    if optimizer in TUNED and (schedule["name"] != "constant" or schedule["warmup"]):
        where = key_of(study, *run, "schedule", "optimizer.name")
        raise InputError(
            f"{where}: {optimizer} tunes its learning rate itself; set the schedule to"
            " {name: constant}"
        )
    if schedule["name"] == "one_cycle" and schedule["warmup"]:
        where = key_of(study, *run, "schedule.warmup", "schedule.name")
        raise InputError(f"{where}: one_cycle has a rise of its own; leave it out")
    if schedule["per"] == "epoch":
        found = Schedule.from_config(schedule).fault(training["epochs"])
        if found:
            path = f"schedule.{found.key}".strip(".")
            beside = f"schedule.{found.beside}" if found.beside else "epochs"
            raise InputError(f"{key_of(study, *run, path, beside)}: {found.text}")


def check_kinds(study: Study) -> None:
    """Refuse what is made for images on recordings or points, and the other way round."""
    for run, training in study.training.items():
        dataset, _ = run
        for kind, keys in AUGMENTATIONS.items():
            wrong = [key for key in keys if (training["augment"] or {}).get(key)]
            if wrong and kind != study.kind(dataset):
                raise InputError(
                    f"{key_of(study, *run, f'augment.{wrong[0]}')}: augments {kind}, which"
                    f" {dataset} has none of; leave it out"
                )
        if training["sampling"] == "domain_balanced" and not study.has_domains(dataset):
            raise InputError(
                f"{key_of(study, *run, 'sampling')}: {dataset} has no domains to balance; set it to"
                " shuffled"
            )
