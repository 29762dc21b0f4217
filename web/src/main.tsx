import "@fontsource-variable/inter/wght.css";
import "./ui/theme.css";
import "./ui/controls.css";
import "./app/layout.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App";
import { makeServices } from "./app/services";
import { applyTheme, storedTheme } from "./app/theme";
import { Mishap } from "./ui/Mishap";

applyTheme(storedTheme());
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <Mishap>
        <App services={makeServices()} />
      </Mishap>
    </StrictMode>,
  );
}
