DROP TABLE system_prompts, style_presets, workflow_opened, workflow_library;
