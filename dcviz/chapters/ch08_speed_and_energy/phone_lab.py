"""Is a phone viable? One inference of a net, dense and compressed, with every assumption open."""

from dataclasses import fields

import ipywidgets as widgets
import traitlets

from dcviz.chapters.ch08_speed_and_energy import figures, phones
from dcviz.evidence.memories import size_text
from dcviz.labkit import theme
from dcviz.labkit.base import FigureImage, Lab, html, labelled_entry, labelled_slider, row, words
from dcviz.labkit.markup import number

NAMES = tuple(phone.name for phone in phones.phones())
START, TAKE = phones.phones()[0], phones.Assumptions()
ASSUMED = tuple(field.name for field in fields(TAKE))


class PhoneLab(Lab):
    """Bytes, milliseconds and millijoules of one picture or token on a phone: estimated, not measured.

        PhoneLab(net="alexnet", phone="Tegra K1 (2014)", rate=20.0)

    net, phone     what runs where; choosing a phone sets the next three from its data sheet. "austen" is chapter 12's
                   language model, and one inference of it a token
    gigabytes      peak memory bandwidth, GB per second
    gigaflops      peak float32 operations, billions per second
    cache          last-level cache, MB as makers count it: 2^20 bytes
    rate           pictures or tokens per second, for the power
    the rest       see `phones.Assumptions`; entries in millions per second

    `estimates` {"dense": Estimate, "compressed": Estimate}.
    """

    heading = html("Phone <small>is it viable?</small>")
    state_names = (
        "net",
        "phone",
        "rate",
        "gigabytes",
        "gigaflops",
        "cache",
        "bandwidth_share",
        "compute_share",
        "entries",
        "dram_pj",
        "sram_pj",
        "arithmetic_pj",
    )

    net = traitlets.Enum(tuple(phones.UNITS), "alexnet")
    phone = traitlets.Enum(NAMES, NAMES[0])
    rate = traitlets.Float(20.0, min=0.01, max=1000)
    gigabytes = traitlets.Float(START.bytes_per_second / 1e9, min=0.1, max=2000)
    gigaflops = traitlets.Float(START.flops / 1e9, min=0.1, max=1e5)
    cache = traitlets.Float(START.cache_bytes / 2**20, min=0, max=1000)
    bandwidth_share = traitlets.Float(TAKE.bandwidth_share, min=0.01, max=1)
    compute_share = traitlets.Float(TAKE.compute_share, min=0.01, max=1)
    entries = traitlets.Float(TAKE.entries_per_second / 1e6, min=1, max=1e5)
    dram_pj = traitlets.Float(TAKE.dram_pj, min=0, max=1e5)
    sram_pj = traitlets.Float(TAKE.sram_pj, min=0, max=1e5)
    arithmetic_pj = traitlets.Float(TAKE.arithmetic_pj, min=0, max=1e5)

    def __init__(self, *, phone=NAMES[0], **state):
        super().__init__(phone=phone, **(_data_sheet(phones.phone(phone)) | state))

    @property
    def estimates(self):
        """{"dense": Estimate, "compressed": Estimate} of the state."""
        found = phones.phone(self.phone)
        chip = phones.Phone(
            found.name, 1e9 * self.gigabytes, 1e9 * self.gigaflops, int(2**20 * self.cache), found.source, found.checked
        )
        values = {name: getattr(self, name) for name in ASSUMED if name != "entries_per_second"}
        take = phones.Assumptions(entries_per_second=1e6 * self.entries, **values)
        return {form: phones.estimate(self.net, form, chip, take) for form in phones.FORMS}

    def build(self):
        self.net_choice = widgets.Dropdown(options=tuple(phones.UNITS), description="net", layout={"width": "220px"})
        self.phone_choice = widgets.Dropdown(options=NAMES, description="phone", layout={"width": "360px"})
        self.rate_slider = labelled_slider("inferences a second", self.rate, 0.01, 1000.0, log=True, width="240px")
        entries = {
            "gigabytes": ("memory", "GB/s", 2000),
            "gigaflops": ("computing", "billion/s", 1e5),
            "cache": ("cache", "MB", 1000),
            "entries": ("compressed entries", "million/s", 1e5),
            "arithmetic_pj": ("multiply + add", "pJ", 1e5),
            "bandwidth_share": ("share of bandwidth reached", "", 1),
            "compute_share": ("share of computing reached", "", 1),
            "dram_pj": ("DRAM", "pJ per 32 bits", 1e5),
            "sram_pj": ("SRAM", "pJ per 32 bits", 1e5),
        }
        self.entries_shown = {}
        for name, (label, unit, most) in entries.items():
            low = self.traits()[name].min
            self.entries_shown[name] = labelled_entry(label, getattr(self, name), low, most, unit=unit, width="110px")
            self.bind(self.entries_shown[name], name)
        self.bind_all(net=self.net_choice, phone=self.phone_choice, rate=self.rate_slider)
        figure, self.bars = self._figure()
        self.figure_view = FigureImage(
            figure, alt="milliseconds and millijoules of one inference, dense and compressed"
        )
        assumed = row(*self.entries_shown.values())
        assumed.add_class("dcviz-below")  # nine entries would push the picture out of a small window
        return [row(self.net_choice, self.phone_choice), self.rate_slider, assumed, self.figure_view]

    def _figure(self):
        figure, axes = theme.figure(13, 3.4, columns=2)
        return figure, [
            figures.phone_bars(a, phones.FORMS, parts, f"{unit} per inference")
            for a, parts, unit in zip(axes, figures.PHONE_PARTS, ("milliseconds", "millijoules"), strict=True)
        ]

    def update(self):
        self._fill(self.bars)
        self.figure_view.redraw()

    def _fill(self, bars):
        (first, second), (third, fourth) = ([name for name, _ in parts] for parts in figures.PHONE_PARTS)
        times, energies = {}, {}
        for form, e in self.estimates.items():
            times |= {(form, first): e.fc_milliseconds, (form, second): e.conv_milliseconds}
            energies |= {(form, third): e.fetch_millijoules, (form, fourth): e.arithmetic_millijoules}
        figures.show_phone(bars[0], times, "ms")
        figures.show_phone(bars[1], energies, "mJ")

    def describe(self):
        dense, small = self.estimates["dense"], self.estimates["compressed"]
        chip = phones.phone(self.phone)
        edited = any(abs(getattr(self, n) - v) > 1e-9 for n, v in _data_sheet(chip).items())
        return self.say(
            "<b>{net}</b> on {edited}{phone}. File{whose}: "
            "{dense_file} → <b>{file}</b>. In memory, two bytes per "
            "kept weight: {dense_resident} → <b>{resident}</b>, "
            "read from {memory}. "
            "One {unit}: {dense_ms} → <b>{ms} ms</b> "
            "({per_second} a second), of which fully connected "
            "{dense_fc_ms} → <b>{fc_ms} ms</b>; {dense_mj} → "
            "<b>{mj} mJ</b>. At {rate} a second: {dense_mw} → "
            "<b>{mw} mW</b>"
            "{late}. "
            "<i>Estimated from stated assumptions, not measured. Chip: {source}.</i>",
            unit=phones.UNITS[self.net],
            whose=", as the paper prints it" if self.net in phones.NETS else "",
            edited="an edited " if edited else "",
            dense_file=size_text(dense.file_bytes),
            file=size_text(small.file_bytes),
            dense_resident=size_text(dense.resident_bytes),
            resident=size_text(small.resident_bytes),
            memory=small.memory,
            dense_ms=number(dense.milliseconds),
            ms=number(small.milliseconds),
            per_second=number(small.per_second),
            dense_fc_ms=number(dense.fc_milliseconds),
            fc_ms=number(small.fc_milliseconds),
            dense_mj=number(dense.millijoules),
            mj=number(small.millijoules),
            rate=number(self.rate),
            dense_mw=number(dense.millijoules * self.rate),
            mw=number(small.millijoules * self.rate),
            late="" if small.milliseconds * self.rate <= 1000 else ", but it cannot keep up with that rate",
            source=words(chip.source),
        )

    def picture(self):
        figure, bars = self._figure()
        self._fill(bars)
        return figure

    def along(self, name):
        """A phone comes with its data sheet."""
        return _data_sheet(phones.phone(self.phone)) if name == "phone" else {}


def _data_sheet(chip):
    return {"gigabytes": chip.bytes_per_second / 1e9, "gigaflops": chip.flops / 1e9, "cache": chip.cache_bytes / 2**20}
