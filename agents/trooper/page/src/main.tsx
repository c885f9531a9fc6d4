import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { World } from './world.tsx';
import { Reports } from './orders.tsx';
import './styles/tokens.css';
import './styles/page.css';
import './styles/controls.css';
import './styles/tile.css';
import './styles/about.css';
import './styles/panels.css';

/** Where the page begins. All text goes through React, which escapes it; nothing here takes markup. */
const root = document.getElementById('world');
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <Reports>
        <World />
      </Reports>
    </StrictMode>,
  );
}
