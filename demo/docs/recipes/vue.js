import 'crispen/element';
import { defineComponent, h } from 'vue';

export const CrispenImage = defineComponent({
  emits: ['load'],
  setup: (_, { attrs, emit }) => {
    const onLoad = (event) => emit('load', event);
    return () => h('crispen-image', { ...attrs, onLoad });
  },
});
