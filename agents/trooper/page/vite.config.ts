import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** Builds the page into dist/, which page.ts serves. Nothing is inlined: the policy of the page allows only files of its own. */
export default defineConfig({
  plugins: [react()],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
