export type Theme = "system" | "light" | "dark";

const KEY = "theme";
const changed = new EventTarget();

export function storedTheme(): Theme {
  const stored = localStorage.getItem(KEY);
  return stored === "light" || stored === "dark" ? stored : "system";
}

export function applyTheme(theme: Theme): void {
  localStorage.setItem(KEY, theme);
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  changed.dispatchEvent(new Event("change"));
}

/** For what can't follow by CSS: the chart's canvas. */
export function onThemeChange(listener: () => void): () => void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", listener);
  changed.addEventListener("change", listener);
  return () => {
    system.removeEventListener("change", listener);
    changed.removeEventListener("change", listener);
  };
}
