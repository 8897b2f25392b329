using System;
using System.Management.Automation;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>
/// Makes a record again from what CLIXML kept of it, so that it is shown as it was; a session or process from what JSON
/// kept as well, so that another process can go on from it; and a process from an event or a sample that names one.
/// </summary>
internal sealed class RecordConverter : PSTypeConverter
{
    /// <summary>What an event has that names a process, in place of when the process was started.</summary>
    private const string EventKind = "Kind";

    public RecordConverter()
    {
    }

    /// <inheritdoc/>
    public override bool CanConvertFrom(object sourceValue, Type destinationType)
    {
        PSObject source = PSObject.AsPSObject(sourceValue);
        if (destinationType != typeof(PyProcess) && destinationType != typeof(PodDebugSession))
        {
            return WasOne(source, destinationType);
        }

        return Has(source, nameof(PodDebugSession.Namespace))
            && Has(source, nameof(PodDebugSession.PodName))
            && Has(source, nameof(PodDebugSession.DebugContainer))
            && (destinationType == typeof(PyProcess)
                ? Has(source, nameof(PyProcess.ProcessId))
                    && (Has(source, nameof(PyProcess.StartTime)) || Has(source, EventKind))
                : Has(source, nameof(PodDebugSession.Python)));
    }

    /// <inheritdoc/>
    public override object ConvertFrom(
        object sourceValue,
        Type destinationType,
        IFormatProvider formatProvider,
        bool ignoreCase)
    {
        if (!CanConvertFrom(sourceValue, destinationType))
        {
            throw new PSInvalidCastException($"This object was not made from a {destinationType.Name}.");
        }

        PSObject source = PSObject.AsPSObject(sourceValue);
        object record = RecordReader.Read(source, destinationType);
        if (WasOne(source, destinationType))
        {
            KeepNotes(record, source);
        }

        return (record, source.BaseObject) switch
        {
            (PyProcess process, ISessionCarrier live) => process with { Session = live.Session },
            _ => record,
        };
    }

    /// <inheritdoc/>
    public override bool CanConvertTo(object sourceValue, Type destinationType) => false;

    /// <inheritdoc/>
    public override object ConvertTo(
        object sourceValue,
        Type destinationType,
        IFormatProvider formatProvider,
        bool ignoreCase)
        => throw new PSInvalidCastException();

    /// <summary>What was added to the object beside the record's own properties, as named scripts do.</summary>
    private static void KeepNotes(object record, PSObject source)
    {
        // PowerShell keeps what is added with the record itself.
        PSObject item = PSObject.AsPSObject(record);
        foreach (PSPropertyInfo note in source.Properties)
        {
            if (record.GetType().GetProperty(note.Name) is null)
            {
                item.Properties.Add(new PSNoteProperty(note.Name, note.Value));
            }
        }
    }

    private static bool WasOne(PSObject source, Type type) => source.TypeNames[0] == $"Deserialized.{type.FullName}";

    private static bool Has(PSObject source, string name) => source.Properties[name]?.Value is not null;
}
