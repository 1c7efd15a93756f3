# What tables, figures and the report are made of, and where they lie.
# What figures are of: a network on a data set (data set first), a data set or, empty, the study.
Subject = tuple[str, ...]
FIGURES_OF = {
    **{pair: products.network_figures(STUDY, *pair) for pair in STUDY.pairs},
    **{
        (dataset,): products.dataset_figures(STUDY, dataset) for dataset in STUDY.config["datasets"]
    },
    (): products.study_figures(STUDY),
}
FIGURES_OF = {subject: names for subject, names in FIGURES_OF.items() if names}
# The tables of the study; all those of published results alone, which no study decides; and what a
# reader sees of both.
STUDY_TABLES = {
    name: table for name, table in products.tables(STUDY).items() if not table.of_published_alone
}
PUBLISHED_TABLES = {
    name: table for name, table in tables_and_figures.TABLES.items() if table.of_published_alone
}
READABLE = {name: table for name, table in products.tables(STUDY).items() if table.text}
PUBLISHED_FIGURE_FILES = [
    published(f"figures/{name}.svg") for name in products.published_figures(STUDY)
]


@cache
def contents_of_report() -> list[dict]:
    """The sections of the report, with the titles and captions of what they show."""
    # Here, since it loads pandas, and nothing but Snakemake's own report needs it.
    from minimascope.report.study import study_facts

    text = (BASE / "report" / "contents.yaml").read_text(encoding="utf-8")
    return contents_of(text, study_facts(STUDY.config, tables_of_facts()))


def reported(path: str) -> str:
    """An output that Snakemake's own report shows, too: section, title and caption are the same."""
    name = Path(*Path(path).parts[2:]).with_suffix("")
    # Of the run, since the checkout may be read-only.
    caption = Path(".snakemake", "captions", f"{'-'.join(name.parts)}.rst").absolute()

    def section(wildcards: Any) -> Section:
        [found] = sections(contents_of_report(), [str(name)], STUDY.parts)
        return found

    def labels(wildcards: Any) -> dict[str, str]:
        # Snakemake takes captions from files, and asks for labels before, where it makes a report.
        [part] = section(wildcards).parts
        write_text(caption, as_rst(part.caption))
        return {"Title": part.title}

    return report(
        path,
        caption=str(caption),
        category=lambda wildcards: section(wildcards).title,
        labels=labels,
    )


def needed_by(parts: dict[str, Component]) -> list[str]:
    """The tables that tables or figures are made of, without those that they give themselves."""
    given = {name for part in parts.values() for name in part.gives}
    needed = (name for part in parts.values() for name in part.needs)
    return [name for name in dict.fromkeys(needed) if name not in given]


def table_outputs(tables: dict[str, tables_and_figures.Table], place: Callable) -> dict[str, str]:
    """The files of tables, and of what readers see of them in each format."""
    files = {given: f"tables/{given}.csv" for table in tables.values() for given in table.gives}
    for name, table in tables.items():
        files |= {f"{name}_{end}": f"tables/{name}.{end}" for end in table.formats}
    return {key: place(path) for key, path in files.items()}


def hash_of_rows(rows: list[dict]) -> str:
    """A hash of rows in any order."""
    return digest(canonical_json(sorted(rows, key=canonical_json)).encode())


def reported_tables(files: dict[str, str]) -> dict[str, str]:
    """The files of tables, those marked that Snakemake's own report can show."""
    return {key: reported(path) if path.endswith(".html") else path for key, path in files.items()}


def table_params(tables: dict[str, tables_and_figures.Table]) -> dict[str, Callable]:
    """What tables depend on besides other tables."""
    analysis = STUDY.config["analysis"]
    smallest = {"smallest_differences": analysis["smallest_differences"]}
    arguments = {
        "conditions": {"rows": condition_rows(STUDY)},
        "trained": {"thresholds": analysis["trained"]},
        "train_domains": smallest | {"references": STUDY.references},
        "stability": {"threshold": analysis["stability_threshold"]},
        **{
            name: dict(smallest)
            for name in ("statistics", "corruptions", "outcomes", "interactions")
        },
        "claims": smallest | {"recordings": STUDY.recordings},
    }
    arguments |= STUDY.own("tables")
    arguments = {name: value for name, value in arguments.items() if name in tables}
    places = [place for table in tables.values() for place in (table.location, table.text) if place]
    return {
        **named(
            code=code("tables", lambda wildcards: places),
            # The code version has functions, and not what the registry hands to them.
            tables=list(tables),
            handed={
                name: {key: getattr(table, key) for key in ("needs", "gives", "shows")}
                for name, table in tables.items()
            },
            # The hash of rows, since Snakemake prints what has changed; their order changes nothing.
            settings={
                name: {
                    key: hash_of_rows(value) if key == "rows" else value
                    for key, value in own.items()
                }
                for name, own in arguments.items()
            },
            published={
                name: digest((PUBLISHED / f"{name}.csv").read_bytes())
                for table in tables.values()
                for name in table.published
            },
        ),
        # Derived from the output: Snakemake neither keeps nor compares such params.
        "arguments": lambda wildcards, output: arguments,
    }


def plot_rule(subject: Subject) -> str:
    """The rule that draws the figures of a network (``plot_digits-vit``), a data set or the study."""
    return "_".join(filter(None, ("plot", "-".join(subject))))


def all_figures(subject: Subject) -> str:
    """The wildcards that name the log of these."""
    return str(Path(*subject, "figures"))


def pages_of(figures: Iterable[str]) -> list[str]:
    """The pages with surfaces that a reader can turn, beside figures that show the same."""
    pages = tables_and_figures.PAGE_OF
    return [pages[name] for name in figures if name in pages]


def figure_inputs(subject: Subject) -> dict[str, str]:
    """The tables that the figures of a subject are made of."""
    wanted = needed_by({name: STUDY.component("figures", name) for name in FIGURES_OF[subject]})
    return {name: results(f"tables/{name}.csv") for name in wanted}


def figure_outputs(subject: Subject) -> dict[str, Any]:
    """The files of the figures of a subject."""
    folder = results(str(Path("figures", *subject)))
    pages = [reported(f"{folder}/{page}.html") for page in pages_of(FIGURES_OF[subject])]
    figures = drawn(f"{folder}/{name}" for name in FIGURES_OF[subject])
    return {**figures, **({"pages": pages} if pages else {})}


def drawn(places: Iterable[str]) -> dict[str, list[str]]:
    """The files of figures in each format, from their paths without an ending."""
    places = [*places]
    return {
        "figures": [reported(f"{place}.svg") for place in places],
        "pdfs": [f"{place}.pdf" for place in places],
    }


def figure_params(figures: Iterable[str], of: Callable) -> dict[str, Callable]:
    """What figures depend on besides tables; ``of`` says what a figure is of."""
    places = [STUDY.component("figures", name).location for name in figures]
    places += [tables_and_figures.PAGES[page].location for page in pages_of(figures)]
    return named(
        code=code("plot", lambda wildcards: places),
        # In the order of the outputs, which an object of JSON does not keep.
        figures=[
            [name, {"of": of(name), "options": STUDY.own("figures").get(name, {})}]
            for name in figures
        ],
    )


def of_subject(subject: Subject) -> Callable[[str], dict]:
    """The data set, and the network, that each figure of a subject is of."""
    return lambda figure: dict(zip(("dataset", "network"), subject))


def view_params(subject: Subject) -> dict[str, Callable]:
    """The view of the data that figures of a network show.

    The usual one is not named, so that figures of earlier studies are not drawn again.
    """
    view = STUDY.config["analysis"]["figure_view"]
    return named(view=view) if len(subject) == 2 and view != "clean" else {}


def of_published(figure: str) -> dict:
    """Figures of published models get the data set's name."""
    return (
        {"dataset": tables_and_figures.PUBLISHED_SCENES} if figure.startswith("published-") else {}
    )


def tables_of_report() -> list[str]:
    """The tables that the report is made of."""
    origins = ["measures", "networks", "provenance"] if STUDY.pairs else []
    gathered = products.gathered(STUDY)
    turned = [name for page in tables_and_figures.PAGES.values() for name in page.needs]
    surfaces = [name for name in turned if name in gathered]
    paths = [results(f"tables/{name}.csv") for name in (*origins, *surfaces)]
    for name, table in READABLE.items():
        # What is shown, and the table that can be taken from the page.
        own = [name] if name in (*table.needs, *table.gives) else []
        place = published if table.of_published_alone else results
        paths += [place(f"tables/{csv}.csv") for csv in (*table.shows, *own)]
    return list(dict.fromkeys([*paths, *tables_of_facts().values()]))


def tables_of_facts() -> dict[str, str]:
    """The tables that captions depend on, by name."""
    made = tables_made()
    return {name: results(f"tables/{name}.csv") for name in TABLES_OF_FACTS if name in made}


def figures_of_report() -> list[str]:
    """The figures that the report shows; of the PDFs beside them it has links alone."""
    shown = [path for path in outputs_of(PLOTS) if not path.endswith(".pdf")]
    return [*shown, *PUBLISHED_FIGURE_FILES]


def tables_made() -> set[str]:
    """The names of all tables in the study's own folder."""
    first = {"measures"} if STUDY.pairs else set()
    given = {name for table in STUDY_TABLES.values() for name in table.gives}
    return first | {*products.gathered(STUDY)} | given
