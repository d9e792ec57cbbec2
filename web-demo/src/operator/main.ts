import { createApp } from 'vue';
import { applyTheme } from '../lib/theme';
import '../styles/tokens.css';
import '../styles/base.css';
import './operator.css';
import OperatorPage from './OperatorPage.vue';
import { begin } from './state/watch';

applyTheme();
createApp(OperatorPage).mount('#app');
begin();
