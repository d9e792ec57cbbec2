import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vite';

// A running Stoa for `npm run dev`; the built page talks to the server it came from.
const server = 'http://127.0.0.1:8000';

export default defineConfig({
  plugins: [vue()],
  // Relative, so that the page also works behind a proxy that adds a path.
  base: './',
  build: {
    target: 'es2022',
    // No data: URLs: the page then runs under a strict content security policy.
    assetsInlineLimit: 0,
    // The operator's page has an entry of its own, so that the demo page loads none of its code.
    rollupOptions: { input: ['index.html', 'operator.html'] },
  },
  server: {
    host: '127.0.0.1',
    proxy: { '/socket.io': { target: server, ws: true }, '/api': server, '/readyz': server },
  },
});
