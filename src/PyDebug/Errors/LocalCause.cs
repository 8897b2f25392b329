namespace PyDebug.Errors;

/// <summary>The causes that the module itself finds, before or after it talks to a server.</summary>
internal static class LocalCause
{
    public const string ConfirmationNeeded = "ConfirmationNeeded";
    public const string ContainerAmbiguous = "ContainerAmbiguous";
    public const string CustomInvalid = "CustomInvalid";
    public const string DestinationExists = "DestinationExists";
    public const string DestinationInvalid = "DestinationInvalid";
    public const string FilesLeftOut = "FilesLeftOut";
    public const string FollowLimit = "FollowLimit";
    public const string LimitExceeded = "LimitExceeded";
    public const string ParameterInvalid = "ParameterInvalid";
    public const string ProbeNotScoped = "ProbeNotScoped";
    public const string ProbeUnavailable = "ProbeUnavailable";
    public const string ProgramInvalid = "ProgramInvalid";
    public const string ProgramRejected = "ProgramRejected";
    public const string PythonStackMisplaced = "PythonStackMisplaced";
    public const string ResultInvalid = "ResultInvalid";
    public const string SourceInvalid = "SourceInvalid";
    public const string ToolOutputInvalid = "ToolOutputInvalid";
    public const string Unexpected = "Unexpected";
}
