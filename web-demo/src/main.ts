import { createApp } from 'vue';
import App from './App.vue';
import './styles/tokens.css';
import './styles/base.css';
import './styles/stage.css';
import { applyTheme } from './lib/theme';
import { connect } from './socket';
import { keepInAddress } from './state/address';

applyTheme();
keepInAddress();
createApp(App).mount('#app');
connect();
