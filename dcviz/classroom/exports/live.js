// Labs in a page without a kernel: what is drawn in the browser is drawn again and can be moved; controls that
// need Python are shown as they were, switched off. Reads the states that dcviz.classroom.exports wrote into the page.
(() => {
  const NEED = "needs the notebook";
  const saved = JSON.parse(document.getElementById("dcviz-labs").textContent);
  const modules = {};
  const make = (tag, classes = "", parent = null) => {
    const node = document.createElement(tag);
    node.className = classes;
    parent?.append(node);
    return node;
  };
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

  // A widget's model, as an anywidget view sees its own and, through widget_manager, those that a film moves.
  class Model {
    constructor(state, moved, find) {
      this.widget_manager = { get_model: find };
      this.alone = true; // a view switches off what needs Python
      this.state = {};
      for (const [key, value] of Object.entries(state))
        this.state[key] = value?.base64 !== undefined ? new DataView(bytes(value.base64).buffer) : value;
      this.listeners = [];
      this.moved = moved;
    }
    get(key) { return this.state[key]; }
    set(key, value) {
      if (JSON.stringify(this.state[key]) === JSON.stringify(value)) return;
      this.state[key] = value;
      for (const one of [...this.listeners]) if (one.name === `change:${key}` || one.name === "change") one.call(this, value);
    }
    on(names, call) { for (const name of names.split(/\s+/)) this.listeners.push({ name, call }); }
    off(names, call) {
      const gone = names?.split(/\s+/);
      this.listeners = this.listeners.filter((one) => (gone && !gone.includes(one.name)) || (call && one.call !== call));
    }
    save_changes() { this.moved(); }
    send() {}
  }

  class Lab {
    constructor(place) {
      this.place = place;
      const { root, models, bound } = saved.labs[place.dataset.lab];
      this.states = models;
      this.models = {}; // model id -> Model
      this.bound = Object.values(bound);
      for (const state of Object.values(models)) if (state.drivers) this.bound.push(...Object.values(state.drivers));
      this.film = Object.values(models).some((state) => state.drivers);
      this.box = make("div", "dcviz-alive", place);
      this.note = make("p", "dcviz-kernel", this.box);
      this.note.textContent = this.film
        ? "Move the drawing: it works without a kernel, numbers and pictures too. Controls that are switched off need the notebook."
        : "Move the drawing: it works without a kernel. The other controls and the numbers in the text need the notebook.";
      this.waiting = [];
      this.add(root, this.box);
      if (this.of(root)._dom_classes?.includes("dcviz-waiting")) this.hold();
    }

    // A lab whose question has no answer yet: the caption's script lets nothing be moved until the reader asks to be shown.
    hold() {
      const question = this.box.querySelector(".dcviz-asked");
      if (!question) return;
      const show = make("button", "jupyter-button", question);
      show.textContent = "Show me without guessing";
      show.addEventListener("click", () => {
        question.parentElement.classList.remove("dcviz-waiting");
        show.remove();
      });
    }

    async start() {
      await Promise.all(this.waiting.map(async ({ id, state, node }) => {
        const code = saved.texts[state._esm];
        modules[state._esm] ??= import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
        let module = (await modules[state._esm]).default;
        if (typeof module === "function") module = await module();
        const model = this.model(id);
        await module.initialize?.({ model });
        await module.render({ model, el: node, experimental: {} });
      }));
      for (const ends of this.bound) this.link(ends);
    }

    model(id) {
      return this.models[id] ??= new Model(
        this.states[id],
        () => this.place.classList.toggle("dcviz-moved", !this.film), // without a film the words stay as saved
        async (wanted) => this.model(wanted),
      );
    }

    // Controls that are bound to the same state as a view, or that drive a film, move with it and move it.
    link(ends) {
      const drawn = (state) => state?._esm && !state._dom_classes?.includes("dcviz-number"); // an entry is a control, too
      if (!ends.some(([id]) => drawn(this.states[id]) || this.drives(id))) return;
      for (const [id, trait] of ends) {
        const off = this.place.querySelector(`[data-model="${id}"]`), model = this.model(id);
        model.set("disabled", false);
        model.set("tooltip", model.get("tooltip")?.replace(` (${NEED})`, ""));
        off?.classList.remove("dcviz-off");
        off?.removeAttribute("title");
        for (const input of off?.querySelectorAll("input, select, button") ?? []) {
          input.disabled = false;
          input.setAttribute("aria-label", (input.getAttribute("aria-label") ?? input.textContent).replace(` (${NEED})`, ""));
        }
        for (const [other, its] of ends)
          if (other !== id) model.on(`change:${trait}`, () => this.model(other).set(its, model.get(trait)));
      }
    }

    drives(id) {
      return Object.values(this.states).some((state) => Object.values(state.drivers ?? {}).some((ends) => ends.some(([one]) => one === id)));
    }

    of(reference) { return this.states[String(reference ?? "").replace("IPY_MODEL_", "")]; }

    runs(state) { // a row with a button for work that only Python can do
      return state._dom_classes?.includes("dcviz-run") || (state._model_name === "HBoxModel" && state.children.some((one) => this.runs(this.of(one))));
    }

    add(name, parent) {
      const state = this.of(name);
      if (!state || state._dom_classes?.some((one) => ["dcviz-alert", "dcviz-bar"].includes(one)) || this.runs(state)) return;
      const layout = this.of(state.layout) ?? {};
      if (layout.display === "none") return;
      if (state._esm) return this.view(name, state, parent, layout);
      if (state._dom_classes?.includes("dcviz-prediction")) return this.question(state, parent);
      const kind = state._model_name.replace(/Model$/, "");
      const node = BOXES.has(kind) ? this.children(kind, state, parent) : this.control(name, kind, state, parent);
      if (!node) return;
      node.classList.add(...(state._dom_classes ?? []));
      for (const key of ["width", "max_width", "min_width", "height", "flex_flow", "grid_template_columns"])
        if (layout[key]) node.style[key.replace(/_(.)/g, (_, c) => c.toUpperCase())] = layout[key];
    }

    view(name, state, parent, layout) {
      const node = make("div", (state._dom_classes ?? []).join(" "), parent);
      if (layout.width) node.style.width = layout.width;
      const id = name.replace("IPY_MODEL_", "");
      if (state._dom_classes?.includes("dcviz-number")) {
        this.off(node, id);
        Object.assign(state, { disabled: true, tooltip: `${state.tooltip || state.description} (${NEED})` });
      }
      this.waiting.push({ id, state, node });
    }

    // A control that needs Python, until it is linked to what is drawn here.
    off(node, id) {
      node.classList.add("dcviz-off");
      node.title = NEED;
      node.dataset.model = id;
    }

    children(kind, state, parent) {
      const node = make("div", `jupyter-widgets widget-container widget-box ${kind === "HBox" ? "widget-hbox" : "widget-vbox"}`, parent);
      for (const child of state.children) this.add(child, node);
      return node;
    }

    question(state, parent) {
      const box = make("div", "dcviz-asked", parent);
      for (const child of state.children.map((name) => this.of(name))) {
        if (child._dom_classes?.includes("dcviz-question")) make("p", "", box).innerHTML = child.value; // a Caption's: made by dcviz.labkit.markup.html
        if (child._options_labels) {
          const list = make("ul", "", box);
          for (const option of child._options_labels) make("li", "", list).textContent = option;
        }
      }
    }

    // An input shows its model's value, and what is done to it goes to the model.
    follow(model, inputs) {
      const [first] = inputs, log = model.get("_model_name").includes("Log"), index = model.get("_options_labels") !== undefined;
      const trait = index ? "index" : "value";
      const show = () => {
        const value = model.get(trait);
        if (first.type === "checkbox") first.checked = value;
        else if (first.tagName === "SELECT") first.selectedIndex = value;
        else if (index) inputs.forEach((one, i) => { one.classList.toggle("mod-active", i === value); one.checked = i === value; });
        else first.value = log && first.type === "range" ? Math.log10(value) : value;
      };
      const read = (i) => {
        if (index) return first.tagName === "SELECT" ? first.selectedIndex : i;
        if (first.type === "checkbox") return first.checked;
        if (first.type === "text") return first.value;
        return log ? 10 ** Number(first.value) : Number(first.value);
      };
      model.on(`change:${trait}`, show);
      inputs.forEach((one, i) => one.addEventListener({ BUTTON: "click", INPUT: "input" }[one.tagName] ?? "change", () => {
        model.set(trait, read(i));
        model.save_changes();
      }));
    }

    control(name, kind, state, parent) {
      if (kind === "Image") {
        const image = make("img", "jupyter-widgets widget-image", parent);
        image.src = `data:image/${state.format};base64,${state.value.base64}`;
        image.alt = "figure; its numbers are in the caption of this lab";
        return image;
      }
      if (kind === "Label") {
        const text = make("div", "jupyter-widgets widget-label", parent);
        text.textContent = state.value;
        return text;
      }
      if (!CONTROLS[kind]) return null;
      const node = make("div", "jupyter-widgets widget-inline-hbox", parent);
      const label = make("label", "widget-label", node);
      label.textContent = state.description ?? "";
      const id = name.replace("IPY_MODEL_", ""), inputs = CONTROLS[kind](state, node, label);
      this.off(node, id);
      this.follow(this.model(id), inputs);
      for (const input of inputs) {
        input.disabled = true;
        if (!input.textContent) input.setAttribute("aria-label", `${state.description || state.tooltip || kind} (${NEED})`);
      }
      if (!label.textContent) label.remove();
      return node;
    }
  }

  const BOXES = new Set(["Box", "HBox", "VBox", "GridBox"]);
  const input = (type, value, node, classes) => {
    node.classList.add(classes);
    const one = make("input", "", node);
    one.type = type;
    one.value = value;
    return [one];
  };
  const slider = (state, node) => {
    const one = make("input", "", node);
    Object.assign(one, { type: "range", min: state.min, max: state.max, step: state._model_name.startsWith("Int") ? state.step : "any" });
    one.value = state._model_name.includes("Log") ? Math.log10(state.value) : state.value;
    return [one];
  };
  const CONTROLS = {
    Text: (state, node) => input("text", state.value, node, "widget-text"),
    IntSlider: slider, FloatSlider: slider, FloatLogSlider: slider,
    Dropdown: (state, node) => {
      node.classList.add("widget-dropdown");
      const one = make("select", "", node);
      for (const name of state._options_labels) make("option", "", one).textContent = name;
      one.selectedIndex = state.index;
      return [one];
    },
    Checkbox: (state, node, label) => {
      node.classList.add("widget-checkbox");
      const one = make("input");
      one.type = "checkbox";
      one.checked = state.value;
      label.prepend(one);
      return [one];
    },
    ToggleButtons: (state, node) => state._options_labels.map((name, i) => {
      const one = make("button", `jupyter-button${i === state.index ? " mod-active" : ""}`, node);
      one.textContent = name;
      return one;
    }),
    RadioButtons: (state, node) => state._options_labels.map((name, i) => {
      const line = make("label", "", node), one = make("input");
      one.type = "radio";
      one.checked = i === state.index;
      line.append(one, ` ${name}`);
      return one;
    }),
  };

  async function start(place) {
    if (place.classList.contains("dcviz-started")) return;
    place.classList.add("dcviz-started");
    try {
      const lab = new Lab(place);
      await lab.start();
      place.querySelector(".dcviz-static").hidden = true;
    } catch (error) { // the picture and its caption are still there
      place.querySelector(".dcviz-alive")?.remove();
      console.warn("a lab stays a picture:", error);
    }
  }
  window.dcvizLive = start;
  if (!document.querySelector(".reveal")) for (const place of document.querySelectorAll("[data-lab]")) start(place);
})();
