"""Amazon Cognito: who keeps people's passwords on AWS."""
