"""What a pipeline does to a deployment on AWS: `python -m infra.delivery --help`, from the repository's root.

Its environment is that of `requirements/aws.txt`. Credentials are those of the role that the pipeline has assumed.
"""
